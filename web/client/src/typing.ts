import type { Clock } from './contract'

/** The hub forgets that someone types after 10 s; told again before that, it does not flicker. */
const REPEAT_MS = 4_000
const IDLE_MS = 5_000
const LEASE_MS = 10_000

/** Turns key presses into few "types" and "types no more". */
export class OwnTyping {
  #saidAt: number | null = null
  #cancel = (): void => undefined

  constructor(
    private readonly clock: Clock,
    private readonly tell: (on: boolean) => void,
  ) {}

  pressed(): void {
    const now = this.clock.now()
    if (this.#saidAt === null || now - this.#saidAt >= REPEAT_MS) {
      this.#saidAt = now
      this.tell(true)
    }
    this.#cancel()
    this.#cancel = this.clock.after(IDLE_MS, () => { this.stopped() })
  }

  /** Sent, emptied, or left alone. */
  stopped(): void {
    this.#cancel()
    if (this.#saidAt === null) return
    this.#saidAt = null
    this.tell(false)
  }
}

/** Who types, as told by the hub. Nobody types forever: without news it ends by itself. */
export class OthersTyping {
  readonly #who = new Map<string, () => void>()

  constructor(
    private readonly clock: Clock,
    private readonly changed: (names: readonly string[]) => void,
  ) {}

  told(name: string, on: boolean): void {
    this.#who.get(name)?.()
    if (on) this.#who.set(name, this.clock.after(LEASE_MS, () => { this.told(name, false) }))
    else if (!this.#who.delete(name)) return
    this.changed([...this.#who.keys()])
  }

  /** A message arrived, or another conversation is shown. */
  clear(): void {
    if (this.#who.size === 0) return
    for (const cancel of this.#who.values()) cancel()
    this.#who.clear()
    this.changed([])
  }
}
