import type { Line, Timeline } from '../client/src/timeline'
import type { Message } from '../client/src/wire'
import type { Choice } from './answer'
import { button, el } from './dom'
import { drawCards, drawChoices, drawMedium, type OnChoice } from './draw'
import { sanitised } from './html'
import { look, type Said, type Side } from './lines'

export interface TranscriptOptions {
  readonly side: Side
  /** The sender type of this page's own messages. */
  readonly own: string
  /** Left out: what can be chosen is only shown. */
  readonly onChoice?: (line: Line, choice: Choice) => void
  readonly onRetry: (line: Line) => void
}

/** The parts of a drawn line that may change later. */
interface Shown {
  readonly element: HTMLElement
  /** What can be chosen until somebody else goes on: an answer to an old question would confuse the bot. */
  readonly replies: readonly HTMLElement[]
  /** What can be chosen until the conversation ends. */
  readonly buttons: readonly HTMLElement[]
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
  #growing: { readonly element: HTMLElement; readonly bubble: HTMLElement } | null = null
  #following = true // the end is in view, and stays there when a picture has loaded

  constructor(
    private readonly log: HTMLElement,
    private readonly o: TranscriptOptions,
  ) {
    log.addEventListener('scroll', () => { this.#following = this.#atEnd })
    log.addEventListener('load', () => { if (this.#following) this.#toEnd() }, { capture: true }) // it does not bubble
  }

  show(timeline: Timeline): void {
    const atEnd = this.#atEnd
    const newest = timeline.lines.at(-1)
    const shown = new Map<string, Shown>()
    let at = this.log.firstElementChild
    for (const line of timeline.lines) {
      const entry = this.#shown.get(line.key) ?? this.#draw(line)
      if (entry.element === at) at = at.nextElementSibling
      else this.log.insertBefore(entry.element, at)
      this.#update(entry, line)
      this.#offer(entry, line, timeline)
      shown.set(line.key, entry)
    }
    for (const [key, { element }] of this.#shown) {
      if (!shown.has(key)) element.remove()
    }
    const ownNews = newest?.message.sender.type === this.o.own && !this.#shown.has(newest.key)
    this.#shown = shown
    if (atEnd || ownNews) this.#toEnd()
  }

  /**
   * What a bot is saying, below everything else; null when the message itself is there, or does not come. Screen
   * readers are told the message and not how it grows.
   */
  grow(text: string | null, sender: Message['sender']): void {
    if (text === null) {
      this.#growing?.element.remove()
      this.#growing = null
      return
    }
    const atEnd = this.#atEnd
    if (!this.#growing) {
      const bubble = el('p', { class: 'bubble', dir: 'auto' })
      const element = el('div', { class: 'said growing', 'aria-hidden': 'true' }, el('span', { class: 'sender' }, nameOf(sender)), bubble)
      this.#growing = { element, bubble }
      this.log.append(element)
    }
    this.#growing.bubble.textContent = text
    if (atEnd) this.#toEnd()
  }

  get #atEnd(): boolean {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80
  }

  #toEnd(): void {
    this.log.scrollTop = this.log.scrollHeight
  }

  /** Keeps what is in view in view while `change` adds lines above it. */
  keepPlace(change: () => void): void {
    const below = this.log.scrollHeight - this.log.scrollTop
    change()
    this.log.scrollTop = this.log.scrollHeight - below
  }

  #draw(line: Line): Shown {
    const still = (element: HTMLElement): Shown => ({ element, replies: [], buttons: [], foot: null, footOf: '' })
    const shape = look(line, this.o.side)
    switch (shape.kind) {
      case 'hidden':
        return still(el('div', { hidden: true }))
      case 'remark':
        return still(el('p', { class: shape.wrong ? 'remark wrong' : 'remark' }, shape.text))
      case 'said':
        return this.#drawSaid(line, shape)
    }
  }

  #drawSaid(line: Line, { text, html, media, cards, choices }: Said): Shown {
    const { sender } = line.message
    const { own, onChoice } = this.o
    const mine = sender.type === own
    const choose: OnChoice = onChoice ? (choice) => { onChoice(line, choice) } : null
    const foot = el('span')
    const row = cards.length > 0 ? drawCards(cards, text, choose) : null
    const below = drawChoices(choices, choose)
    const element = el(
      'div',
      { class: mine ? 'said own' : 'said' },
      el('span', { class: 'sender' }, mine ? 'You' : nameOf(sender)),
      ...(html !== '' ? [el('div', { class: 'bubble rich', dir: 'auto' }, sanitised(html))]
        : text !== '' ? [el('p', { class: 'bubble', dir: 'auto' }, text)] : []),
      ...media.map(drawMedium),
      ...(row ? [row.element] : []),
      ...(below.element ? [below.element] : []),
      foot,
    )
    return { element, replies: below.passing, buttons: row?.passing ?? [], foot, footOf: '' }
  }

  /** Shows what can be chosen, or hides it. A button that goes must not take the keyboard's place with it. */
  #offer({ replies, buttons }: Shown, line: Line, { lines, ended }: Timeline): void {
    if (replies.length + buttons.length === 0) return
    const later = lines.slice(lines.indexOf(line) + 1)
    const passed = ended || later.some(({ message }) => message.sender.type !== line.message.sender.type)
    for (const [elements, gone] of [[replies, passed], [buttons, ended]] as const) {
      for (const element of elements) {
        if (gone && !element.hidden && element.contains(document.activeElement)) this.log.focus({ preventScroll: true })
        element.hidden = gone
      }
    }
  }

  #update(entry: Shown, line: Line): void {
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
