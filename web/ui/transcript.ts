import type { Line, Timeline } from '../client/src/timeline'
import type { Message } from '../client/src/wire'
import { button, el } from './dom'
import { look, type Choice, type Side } from './lines'

export interface TranscriptOptions {
  readonly side: Side
  /** The sender type of this page's own messages. */
  readonly own: string
  readonly onChoice?: (line: Line, choice: Choice) => void
  readonly onRetry: (line: Line) => void
}

/** The parts of a drawn line that may change later. */
interface Shown {
  readonly element: HTMLElement
  readonly choices: HTMLElement | null
  foot: HTMLElement | null
  footOf: string
}

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

/**
 * Keeps a log element in step with a timeline. Elements stay where they are and only their feet change, so that a
 * screen reader is told what is new and nothing twice.
 */
export class Transcript {
  #shown = new Map<string, Shown>()

  constructor(
    private readonly log: HTMLElement,
    private readonly o: TranscriptOptions,
  ) {}

  show(timeline: Timeline): void {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80
    const newest = timeline.lines.at(-1)
    const shown = new Map<string, Shown>()
    let at = this.log.firstElementChild
    for (const line of timeline.lines) {
      const entry = this.#shown.get(line.key) ?? this.#draw(line)
      if (entry.element === at) at = at.nextElementSibling
      else this.log.insertBefore(entry.element, at)
      this.#update(entry, line, line === newest && !timeline.ended)
      shown.set(line.key, entry)
    }
    for (const [key, { element }] of this.#shown) {
      if (!shown.has(key)) element.remove()
    }
    const ownNews = newest?.message.sender.type === this.o.own && !this.#shown.has(newest.key)
    this.#shown = shown
    if (atEnd || ownNews) this.log.scrollTop = this.log.scrollHeight
  }

  /** Keeps what is in view in view while `change` adds lines above it. */
  keepPlace(change: () => void): void {
    const below = this.log.scrollHeight - this.log.scrollTop
    change()
    this.log.scrollTop = this.log.scrollHeight - below
  }

  #draw(line: Line): Shown {
    const still = (element: HTMLElement): Shown => ({ element, choices: null, foot: null, footOf: '' })
    const shape = look(line, this.o.side)
    switch (shape.kind) {
      case 'hidden':
        return still(el('div', { hidden: true }))
      case 'remark':
        return still(el('p', { class: shape.wrong ? 'remark wrong' : 'remark' }, shape.text))
      case 'said': {
        const { sender } = line.message
        const own = sender.type === this.o.own
        const foot = el('span')
        const choices = this.#choices(line, shape.choices)
        const element = el(
          'div',
          { class: own ? 'said own' : 'said' },
          el('span', { class: 'sender' }, own ? 'You' : nameOf(sender)),
          el('p', { class: 'bubble', dir: 'auto' }, shape.text),
          ...(choices ? [choices] : []),
          foot,
        )
        return { element, choices, foot, footOf: '' }
      }
    }
  }

  #choices(line: Line, choices: readonly Choice[]): HTMLElement | null {
    const { onChoice } = this.o
    if (choices.length === 0 || !onChoice) return null
    const buttons = choices.map((choice) => button(choice.title, { class: 'choice' }, () => { onChoice(line, choice) }))
    return el('div', { class: 'choices', role: 'group', 'aria-label': 'Answers' }, ...buttons)
  }

  #update(entry: Shown, line: Line, newest: boolean): void {
    if (entry.choices) entry.choices.hidden = !newest // an answer to an old question would confuse the bot
    const footOf = JSON.stringify([line.seq, line.problem, line.message.created])
    if (!entry.foot || entry.footOf === footOf) return
    const foot = this.#foot(line)
    entry.foot.replaceWith(foot)
    entry.foot = foot
    entry.footOf = footOf
  }

  #foot(line: Line): HTMLElement {
    if (line.problem !== null) {
      const retry = button('Try again', { class: 'link' }, () => { this.o.onRetry(line) })
      return el('span', { class: 'foot wrong' }, `Not sent: ${line.problem} `, retry)
    }
    if (line.seq === null) return el('span', { class: 'foot' }, 'Sending…')
    const at = new Date(line.message.created)
    if (Number.isNaN(at.getTime())) return el('span', { class: 'foot' }, 'Sent')
    return el('time', { class: 'foot', datetime: line.message.created }, time.format(at))
  }
}

const names: Readonly<Record<string, string>> = { customer: 'Customer', custom_bot: 'Bot', egain_bot: 'Bot', system: 'System' }
/** Who has no name of their own is told by the role; the hub puts the role's word where the name would be. */
const nameOf = ({ type, name }: Message['sender']): string =>
  name === '' || name === type ? (names[type] ?? 'Agent') : name
