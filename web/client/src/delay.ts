export const BASE_DELAY_MS = 500
export const MAX_DELAY_MS = 30_000
/** The hub speaks at least every 20 s. Silence for longer than this is a dead connection, whatever TCP believes. */
export const SILENCE_MS = 45_000
/** How long opening may take, from the first packet to the answer of `connect`. */
export const CONNECT_MS = 15_000
/** A connection that lived this long was a good one: the next wait starts small again. */
export const STABLE_MS = 10_000

/** Milliseconds before reconnect number `attempt` (from 0): full jitter, so that a restart is not a stampede. */
export const reconnectDelay = (attempt: number, random: () => number = Math.random): number =>
  random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** attempt)
