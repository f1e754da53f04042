import type { Clock } from './contract'
import type { PartialAnswer } from './wire'

/** A bot that falls silent in the middle may have failed, which nobody tells customers. What it says next shows all again. */
const LEASE_MS = 15_000

/** What a bot is saying in one conversation, until the message itself is there, or somebody else has the word. */
export class GrowingAnswer {
  #question = 0 // of what is shown; 0 = nothing is
  #answered = 0 // the last question that needs no more: what still comes of its answer is late
  #cancel = (): void => undefined

  constructor(
    private readonly clock: Clock,
    /** All that is to be shown; null for nothing. */
    private readonly changed: (text: string | null) => void,
  ) {}

  told({ question, text }: PartialAnswer): void {
    if (question <= this.#answered || question < this.#question || text === '') return
    this.#cancel()
    this.#cancel = this.clock.after(LEASE_MS, () => { this.#hide() })
    this.#question = question
    this.changed(text)
  }

  /** Somebody other than the customer said something, or something happened: the answer is there, or will not come. */
  replaced(): void {
    this.#answered = Math.max(this.#answered, this.#question)
    this.#hide()
  }

  /** The connection was lost: what is said next has all of it again. */
  lost(): void {
    this.#hide()
  }

  /** Another conversation is shown, with questions of its own. */
  reset(): void {
    this.#answered = 0
    this.#hide()
  }

  #hide(): void {
    if (this.#question === 0) return
    this.#cancel()
    this.#question = 0
    this.changed(null)
  }
}
