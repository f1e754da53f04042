import type { Line } from '../client/src/timeline'
import { isFields, list, optionalText, type Message } from '../client/src/wire'

export interface Choice {
  readonly id: string
  readonly title: string
}

/** How a line is shown: as something said, as a remark between, as a question with answers, or not at all. */
export type Look =
  | { readonly kind: 'said'; readonly text: string; readonly choices: readonly Choice[] }
  | { readonly kind: 'remark'; readonly text: string; readonly wrong: boolean }
  | { readonly kind: 'hidden' }

/** `customer` pages and `agent` pages tell the same event from their own side. */
export type Side = 'customer' | 'agent'

const states: Readonly<Record<string, Readonly<Record<Side, string>>>> = {
  escalated: { customer: 'You are being connected to a person.', agent: 'The customer was told that a person takes over.' },
  queued: { customer: 'You are in the queue. Someone will be with you soon.', agent: 'The customer waits in the queue.' },
  assigned: { customer: 'Someone is with you now.', agent: 'The conversation was assigned.' },
  off_hours: { customer: 'Nobody is here at the moment.', agent: 'The customer was told that nobody is here.' },
  retained: { customer: 'Your message is kept until someone is here.', agent: 'The message is kept until someone is here.' },
  ended: { customer: 'The conversation has ended.', agent: 'The conversation has ended.' },
}

/** Decides what a line looks like. Types that this page does not know are hidden, as the protocol asks. */
export function look({ message }: Pick<Line, 'message'>, side: Side): Look {
  const { type, text, json } = message
  switch (type) {
    case 'text':
      return text === '' ? { kind: 'hidden' } : { kind: 'said', text, choices: [] }
    case 'richMessage.quickreply':
      return { kind: 'said', text: optionalText(json, 'title') || text, choices: choices(message) }
    case 'conversation.state':
      return remark(optionalText(json, 'content') || (states[optionalText(json, 'status')]?.[side] ?? ''))
    case 'agent.join':
      return remark(`${optionalText(json, 'agentName') || message.sender.name || 'An agent'} joined.`)
    case 'escalation.transfer': {
      const reason = optionalText(json, 'reason')
      return side === 'agent' ? remark(reason ? `Handed over: ${reason}` : 'Handed over to an agent.') : { kind: 'hidden' }
    }
    case 'conversation.end':
      return remark(text || 'The conversation has ended.')
    case 'error':
      return remark(optionalText(json, 'message') || text || 'Something went wrong.', true)
    default:
      // A rich message that this page cannot draw may bring a text to show instead.
      return type.startsWith('richMessage.') && text !== '' ? { kind: 'said', text, choices: [] } : { kind: 'hidden' }
  }
}

const remark = (text: string, wrong = false): Look => (text === '' ? { kind: 'hidden' } : { kind: 'remark', text, wrong })

function choices({ json }: Message): Choice[] {
  return list(Array.isArray(json.items) ? json.items : [], 'items')
    .filter(isFields)
    .map((item) => ({ id: optionalText(item, 'id'), title: optionalText(item, 'title') }))
    .filter(({ title }) => title !== '')
}
