import type { Summary } from '../client/src/client'
import { el } from '../ui/dom'

interface Item {
  summary: Summary
  unread: number
  readonly row: HTMLLIElement
  readonly button: HTMLButtonElement
}

const when = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' })
const owners: Readonly<Record<string, string>> = { bot: 'with the bot', queue: 'waiting', agent: 'with an agent' }

/** The list of conversations, newest first, with a mark on those that say something new. */
export class ConversationList {
  readonly #items = new Map<string, Item>()
  #current: string | null = null
  #loaded = false

  constructor(
    private readonly rows: HTMLElement,
    private readonly nothing: HTMLElement,
    private readonly onChoose: (summary: Summary) => void,
  ) {}

  get(conversation: string): Summary | undefined {
    return this.#items.get(conversation)?.summary
  }

  /**
   * Takes what the hub lists; what is not listed any more goes, unless it is open on this page. `away`: this page did
   * not hear what was said meanwhile, so what is further on than before is unread.
   */
  update(summaries: readonly Summary[], away: boolean): void {
    const listed = new Set(summaries.map((s) => s.conversation))
    for (const [id, { row }] of this.#items) {
      if (listed.has(id) || id === this.#current) continue
      row.remove()
      this.#items.delete(id)
    }
    for (const summary of summaries) {
      const known = this.#items.get(summary.conversation)
      if (known) {
        if (away && summary.seq > known.summary.seq && summary.conversation !== this.#current) known.unread++
        known.summary = summary
      } else {
        // What appears while the page is open is news; what was there when it opened is not.
        this.#items.set(summary.conversation, this.#item(summary, this.#loaded ? 1 : 0))
      }
    }
    this.#loaded = true
    this.rows.setAttribute('aria-busy', 'false')
    this.#show()
  }

  /** A message arrived; false if the conversation is not in the list. */
  arrived(conversation: string, seq: number): boolean {
    const item = this.#items.get(conversation)
    if (!item) return false
    item.summary = { ...item.summary, seq: Math.max(seq, item.summary.seq) }
    if (conversation !== this.#current) item.unread++
    this.#show()
    return true
  }

  set current(conversation: string | null) {
    this.#current = conversation
    const item = conversation === null ? undefined : this.#items.get(conversation)
    if (item) item.unread = 0
    this.#show()
  }

  #item(summary: Summary, unread: number): Item {
    const button = el('button', { type: 'button' })
    const item = { summary, unread, row: el('li', {}, button), button }
    button.addEventListener('click', () => { this.onChoose(item.summary) })
    return item
  }

  #show(): void {
    const newestFirst = [...this.#items.values()].sort((a, b) => b.summary.created.localeCompare(a.summary.created))
    newestFirst.forEach((item, at) => {
      const { summary, unread, row, button } = item
      button.setAttribute('aria-current', String(summary.conversation === this.#current))
      button.replaceChildren(
        el('span', { class: 'who' }, nameOf(summary)),
        unread > 0 ? el('span', { class: 'unread' }, `${String(unread)} new`) : el('span'),
        el('span', { class: 'what' }, summary.status === 'ended' ? 'ended' : (owners[summary.owner] ?? 'open')),
        el('span', { class: 'since' }, since(summary.created)),
      )
      // Moving a row that is in its place would take the keyboard focus away from it.
      if (this.rows.children[at] !== row) this.rows.insertBefore(row, this.rows.children[at] ?? null)
    })
    this.nothing.hidden = this.#items.size > 0
  }
}

/** A visitor without a name is told apart by the end of the conversation's id. */
export const nameOf = ({ customerName, conversation }: Summary): string => customerName || `Visitor ${conversation.slice(-4)}`

function since(created: string): string {
  const at = new Date(created)
  return Number.isNaN(at.getTime()) ? '' : when.format(at)
}
