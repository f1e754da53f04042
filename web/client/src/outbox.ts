import type { Campaign } from './campaign'

/** What a sender decides about a message; the hub adds the rest. */
export interface Draft {
  readonly messageId: string
  readonly type: { readonly value: string }
  readonly content?: { readonly text?: string; readonly json?: Readonly<Record<string, unknown>> }
  readonly parent?: { readonly messageId: string }
  /** Of the message that starts a conversation: the campaign that the customer came by. */
  readonly conversation?: { readonly campaign: Campaign }
}

export interface Ack {
  readonly conversation: string
  readonly seq: number
  readonly messageId: string
}

/** One message on its way. `conversation` is null for the message that starts one, and for those behind it. */
export interface Entry {
  readonly draft: Draft
  conversation: string | null
}

/** Where entries outlive a reload: a page's sessionStorage, since two pages must not send each other's. */
export interface Shelf {
  load(): readonly Entry[]
  save(entries: readonly Entry[]): void
}

/**
 * Messages that the hub has not acknowledged, oldest first. They are sent again after every drop, with the same
 * messageId, so that the hub takes each of them once.
 */
export class Outbox {
  readonly #entries: Entry[]
  readonly #shelf: Shelf | undefined

  constructor(shelf?: Shelf) {
    this.#shelf = shelf
    this.#entries = shelf ? shelf.load().map((e) => ({ ...e })) : []
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  add(draft: Draft, conversation: string | null): void {
    this.#entries.push({ draft, conversation })
    this.#save()
  }

  /** What may be sent now. A message for a conversation that does not exist yet waits for the one that starts it. */
  sendable(): Entry[] {
    const starting = this.#entries.findIndex((e) => e.conversation === null)
    return this.#entries.filter((e, i) => e.conversation !== null || i === starting)
  }

  /**
   * Takes an acknowledged message out, and says whether it was still there: a message may be acknowledged twice, by
   * the ack and by itself. The first message of a conversation gives those behind it their conversation.
   */
  settle(ack: Ack): boolean {
    const entry = this.#remove(ack.messageId)
    if (!entry) return false
    if (entry.conversation === null) {
      for (const e of this.#entries) e.conversation ??= ack.conversation
    }
    this.#save()
    return true
  }

  /** Takes a refused message out, with those that waited for the conversation it would have started. */
  refuse(messageId: string): Entry[] {
    const entry = this.#remove(messageId)
    if (!entry) return []
    const waited = entry.conversation === null ? this.#entries.filter((e) => e.conversation === null) : []
    for (const e of waited) this.#remove(e.draft.messageId)
    this.#save()
    return [entry, ...waited]
  }

  #remove(messageId: string): Entry | undefined {
    const at = this.#entries.findIndex((e) => e.draft.messageId === messageId)
    return at < 0 ? undefined : this.#entries.splice(at, 1)[0]
  }

  #save(): void {
    this.#shelf?.save(this.#entries)
  }
}
