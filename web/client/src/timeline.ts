import type { Draft } from './outbox'
import type { Message, Placed } from './wire'

/** One line of a conversation as a person sees it. */
export interface Line {
  /** Stays the same while a message goes from pending to placed, so that a page can keep its element. */
  readonly key: string
  /** Its place; null until the hub has given one. */
  seq: number | null
  message: Message
  /** Why the hub refused it; null if it did not. */
  problem: string | null
}

/** Keys differ between timelines too: a page shows one after the other in the same place. */
let keys = 0
const newKey = (): string => `line-${String(++keys)}`

/**
 * The lines of one conversation in the hub's order, own messages without a place at the end. A message that comes
 * twice (history and resume, or an own one and its echo on another session) is one line.
 */
export class Timeline {
  #lines: Line[] = []

  get lines(): readonly Line[] {
    return this.#lines
  }

  /** The last place that is taken; 0 if none is. */
  get last(): number {
    return this.#lines.reduce((last, line) => Math.max(last, line.seq ?? 0), 0)
  }

  /** The first place that is taken; 0 if none is. */
  get first(): number {
    return this.#lines.find((line) => line.seq !== null)?.seq ?? 0
  }

  get ended(): boolean {
    return this.#lines.some((line) => line.seq !== null && line.message.type === 'conversation.end')
  }

  find(messageId: string): Line | undefined {
    return this.#lines.find((line) => line.message.messageId === messageId)
  }

  place(placed: Placed): void {
    if (this.#lines.some((line) => line.seq === placed.seq)) return
    const own = this.#pending(placed.message.messageId, placed.message.sender.type)
    if (own) {
      own.seq = placed.seq
      own.message = placed.message
      own.problem = null
    } else {
      this.#lines.push({ key: newKey(), seq: placed.seq, message: placed.message, problem: null })
    }
    this.#sort()
  }

  /** Whether an own message with this id has no place yet. */
  pending(messageId: string): boolean {
    return this.#pending(messageId) !== undefined
  }

  /** Shows an own message before the hub has it. */
  pend(draft: Draft, sender: Message['sender']): void {
    if (this.#lines.some((line) => line.message.messageId === draft.messageId && line.message.sender.type === sender.type)) return
    const message: Message = {
      id: '',
      messageId: draft.messageId,
      type: draft.type.value,
      text: draft.content?.text ?? '',
      html: '',
      json: draft.content?.json ?? {},
      attachments: [],
      sender,
      created: '',
    }
    this.#lines.push({ key: newKey(), seq: null, message, problem: null })
  }

  acknowledge(messageId: string, seq: number): void {
    const own = this.#pending(messageId)
    if (!own) return
    if (this.#lines.some((line) => line.seq === seq)) {
      this.#lines = this.#lines.filter((line) => line !== own) // it came as a message first
      return
    }
    own.seq = seq
    own.problem = null
    this.#sort()
  }

  refuse(messageId: string, problem: string): void {
    const own = this.#pending(messageId)
    if (own) own.problem = problem
  }

  /** Takes a refused message out again, to send it anew. */
  withdraw(messageId: string): void {
    this.#lines = this.#lines.filter((line) => line.seq !== null || line.message.messageId !== messageId)
  }

  #pending(messageId: string, sender?: string): Line | undefined {
    return this.#lines.find(
      ({ seq, message }) =>
        seq === null && message.messageId === messageId && (sender === undefined || message.sender.type === sender),
    )
  }

  /** By place; what has none keeps its order, after the rest. */
  #sort(): void {
    this.#lines.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0)
  }
}
