import type { State } from '../client/src/client'
import { button } from './dom'

/** Says in one line how the connection is, with something to do about it. Announced by screen readers. */
export function showStatus(line: HTMLElement, state: State, retry: () => void): void {
  line.dataset.state = state.name
  const [text, action] = describe(state)
  line.replaceChildren(text, ...(action ? [' ', button(action, { class: 'link' }, retry)] : []))
}

function describe(state: State): [text: string, action?: string] {
  switch (state.name) {
    case 'stopped':
    case 'connecting':
      return ['Connecting…']
    case 'open':
      return ['Online']
    case 'waiting': {
      const seconds = Math.ceil(state.delay / 1000)
      return [`Offline. Trying again ${seconds <= 1 ? 'now' : `in ${String(seconds)} s`}.`, 'Try now']
    }
    case 'refused':
      return [`Disconnected: ${state.reason}.`, 'Connect again']
  }
}
