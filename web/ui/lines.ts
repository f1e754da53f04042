import type { Line } from '../client/src/timeline'
import { isFields, list, optionalText, type Message } from '../client/src/wire'
import { cardsOf, choicesOf, mediaOf, type Card, type Choice, type Medium } from './answer'

/** Something said. All of it may be empty but for one part. */
export interface Said {
  readonly kind: 'said'
  readonly text: string
  /** The same with markup, to be sanitised; empty if the text says all. */
  readonly html: string
  readonly media: readonly Medium[]
  readonly cards: readonly Card[]
  readonly choices: readonly Choice[]
}

/** How a line is shown: as something said, as a remark between, or not at all. */
export type Look = Said | { readonly kind: 'remark'; readonly text: string; readonly wrong: boolean } | { readonly kind: 'hidden' }

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
      return plain(message, side)
    case 'richMessage.quickreply':
      return said({ text: optionalText(json, 'title') || text, html: markupOf(message), choices: choicesOf(json.items) })
    case 'richMessage.listpicker': {
      const { title, cards } = cardsOf(message)
      return said(cards.length === 0 ? { text } : { text: title, cards })
    }
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
      return type.startsWith('richMessage.') ? said({ text }) : { kind: 'hidden' }
  }
}

/** A text, and what goes along with it. */
function plain(message: Message, side: Side): Look {
  const { text, attachments, sender } = message
  const media = mediaOf(message)
  if (sender.type === 'customer') {
    // Customers see what they chose. Agents see what it stands for, too: the title is whatever the customer's page made of it.
    const titles = chosen(message, 'title')
    if (titles === '') return said({ text, media })
    const others = [...new Set([text, chosen(message, 'id')])].filter((other) => other !== '' && other !== titles)
    return said({ text: side === 'customer' || others.length === 0 ? titles : `${titles} (${others.join(', ')})`, media })
  }
  // A bot's medium has its description, or else its address, in place of a text.
  const told = attachments.some(({ url, name }) => text === url || text === name) && media.length === attachments.length
  return said(told ? { media } : { text, html: markupOf(message), media })
}

/** What was chosen: its title, or what that stands for; empty if the message is no choice. */
const chosen = ({ json }: Message, part: 'id' | 'title'): string =>
  list(Array.isArray(json.selection) ? json.selection : [], 'selection').filter(isFields).map((item) => optionalText(item, part)).filter(Boolean).join(', ')

/** Markup that says more than where lines break, which the text says as well. */
const markupOf = ({ html }: Message): string => (/<(?!br\s*\/?>)[a-z]/i.test(html) ? html : '')

function said(parts: Partial<Said>): Look {
  const whole: Said = { kind: 'said', text: '', html: '', media: [], cards: [], choices: [], ...parts }
  const something = whole.text !== '' || whole.html !== '' || whole.media.length + whole.cards.length + whole.choices.length > 0
  return something ? whole : { kind: 'hidden' }
}

const remark = (text: string, wrong = false): Look => (text === '' ? { kind: 'hidden' } : { kind: 'remark', text, wrong })
