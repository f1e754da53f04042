/** What a sender decides about a message; the hub adds the rest. */
export interface Draft {
  readonly messageId: string
  readonly type: { readonly value: string }
  readonly content?: { readonly text?: string; readonly json?: Readonly<Record<string, unknown>> }
  readonly parent?: { readonly messageId: string }
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

interface Waiting {
  resolve(ack: Ack): void
  reject(reason: unknown): void
}

/**
 * Messages that the hub has not acknowledged, oldest first. They are sent again after every drop, with the same
 * messageId, so that the hub takes each of them once.
 */
export class Outbox {
  readonly #entries: Entry[]
  readonly #waiting = new Map<string, Waiting>()
  readonly #shelf: Shelf | undefined

  constructor(shelf?: Shelf) {
    this.#shelf = shelf
    this.#entries = shelf ? shelf.load().map((e) => ({ ...e })) : []
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  /** Resolves when the hub has the message, however many connections that takes; rejects when the hub refuses it. */
  add(draft: Draft, conversation: string | null): Promise<Ack> {
    this.#entries.push({ draft, conversation })
    this.#save()
    return new Promise((resolve, reject) => this.#waiting.set(draft.messageId, { resolve, reject }))
  }

  /** What may be sent now. A message for a conversation that does not exist yet waits for the one that starts it. */
  sendable(): Entry[] {
    const starting = this.#entries.findIndex((e) => e.conversation === null)
    return this.#entries.filter((e, i) => e.conversation !== null || i === starting)
  }

  /** Takes the message out. The first message of a conversation gives those behind it their conversation. */
  settle(ack: Ack): void {
    const entry = this.#remove(ack.messageId)
    if (!entry) return // acknowledged before: by the message itself, or by the ack of an earlier try
    if (entry.conversation === null) {
      for (const e of this.#entries) e.conversation ??= ack.conversation
    }
    this.#save()
    this.#answer(ack.messageId)?.resolve(ack)
  }

  /** Takes a refused message out. Those that waited for the conversation it would have started are refused with it. */
  refuse(messageId: string, reason: unknown): void {
    const entry = this.#remove(messageId)
    if (!entry) return
    const refused = [entry]
    if (entry.conversation === null) {
      for (const e of this.#entries.filter((other) => other.conversation === null)) {
        this.#remove(e.draft.messageId)
        refused.push(e)
      }
    }
    this.#save()
    for (const e of refused) this.#answer(e.draft.messageId)?.reject(reason)
  }

  #remove(messageId: string): Entry | undefined {
    const at = this.#entries.findIndex((e) => e.draft.messageId === messageId)
    return at < 0 ? undefined : this.#entries.splice(at, 1)[0]
  }

  #answer(messageId: string): Waiting | undefined {
    const waiting = this.#waiting.get(messageId)
    this.#waiting.delete(messageId)
    return waiting
  }

  #save(): void {
    this.#shelf?.save(this.#entries)
  }
}
