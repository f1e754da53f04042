/** What to do with a message: `new` is shown, `known` was shown before, `hole` means that one before it is missing. */
export type Place = 'new' | 'known' | 'hole'

/** How many positions one connect may name. */
const MAX_RESUMED = 100

/** How far this client has come in each conversation it follows, in seqs of the hub. */
export class Positions {
  readonly #last = new Map<string, number>()
  /** Conversations asked for again from `last` on; until the answer, what comes does not join what is there. */
  readonly #filling = new Set<string>()

  follow(conversation: string, last: number): void {
    this.#last.set(conversation, last)
  }

  forget(conversation: string): void {
    this.#last.delete(conversation)
    this.#filling.delete(conversation)
  }

  last(conversation: string): number | undefined {
    return this.#last.get(conversation)
  }

  /** Judges a message and, if it is the next one, moves on. A conversation that is not followed has no order to keep. */
  take(conversation: string, seq: number, prev: number): Place {
    const last = this.#last.get(conversation)
    if (last === undefined) return 'new'
    if (seq <= last) return 'known'
    if (prev > last) return 'hole'
    this.#last.set(conversation, seq)
    return 'new'
  }

  /**
   * Moves on for an own message that the hub acknowledged, if it follows directly. Where it does not, a message in
   * between may be missing: the ack of a repeat can overtake what is still being resumed. Then the position stays and
   * the next message, or the heartbeat, shows the hole.
   */
  acknowledged(conversation: string, seq: number, prev = seq - 1): void {
    const last = this.#last.get(conversation)
    if (last !== undefined && seq > last && prev <= last) this.#last.set(conversation, seq)
  }

  /** True once for each hole: who gets it asks for the rest. */
  startFilling(conversation: string): boolean {
    if (this.#filling.has(conversation) || !this.#last.has(conversation)) return false
    this.#filling.add(conversation)
    return true
  }

  filled(conversation: string): void {
    this.#filling.delete(conversation)
  }

  /** The hub no longer has what lies before `before`: the next message follows on what is there. */
  skipTo(conversation: string, before: number): void {
    const last = this.#last.get(conversation)
    if (last !== undefined && before - 1 > last) this.#last.set(conversation, before - 1)
  }

  /** The hub continues after `after`: it has less than we saw, for it was restored from a copy of its record. What it says next is new. */
  goBack(conversation: string, after: number): void {
    const last = this.#last.get(conversation)
    if (last !== undefined && after < last) this.#last.set(conversation, after)
  }

  /**
   * For `connect`: from where to go on. Questions of the connection before it died with it. Of more conversations than the hub takes
   * those that were followed first are given up: with all of them it would refuse the connection, for good.
   */
  resume(): { conversation: string; after: number }[] {
    this.#filling.clear()
    for (const conversation of [...this.#last.keys()].slice(0, -MAX_RESUMED)) this.#last.delete(conversation)
    return [...this.#last].map(([conversation, after]) => ({ conversation, after }))
  }
}
