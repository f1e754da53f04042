import type { Clock } from '../client/src/contract'
import { OwnTyping } from '../client/src/typing'

/** The line to write in: Enter sends, Shift+Enter breaks the line. */
export class Composer {
  readonly #typing: OwnTyping

  constructor(
    private readonly form: HTMLFormElement,
    private readonly input: HTMLTextAreaElement,
    private readonly send: HTMLButtonElement,
    on: { text(text: string): void; typing(on: boolean): void },
    clock: Clock,
  ) {
    this.#typing = new OwnTyping(clock, (typing) => { on.typing(typing) })
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const text = input.value.trim()
      if (text === '' || send.disabled) return
      input.value = ''
      this.#typing.stopped()
      on.text(text)
      input.focus()
    })
    input.addEventListener('keydown', (event) => {
      // While an input method composes, Enter picks a word.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
      event.preventDefault()
      form.requestSubmit()
    })
    input.addEventListener('input', () => {
      if (input.value.trim() === '') this.#typing.stopped()
      else this.#typing.pressed()
    })
    input.addEventListener('blur', () => { this.#typing.stopped() })
  }

  /** `hidden`: nothing can be written here. `blocked`: not yet; what is being written stays. */
  set state(state: 'ready' | 'blocked' | 'hidden') {
    this.form.hidden = state === 'hidden'
    this.send.disabled = state !== 'ready'
  }

  focus(): void {
    this.input.focus()
  }
}
