// What a connection needs from its surroundings, and what it tells them.
import type { Refused } from './errors'
import type { Ack, Draft, Shelf } from './outbox'
import type { Message, PartialAnswer, QueuePlace, Summary } from './wire'

/** The part of a WebSocket that is used here, so that a test can be one. */
export interface Socket {
  send(data: string): void
  close(code: number, reason: string): void
}

export interface SocketEvents {
  open(): void
  message(data: unknown): void
  close(code: number, reason: string): void
}

export interface Clock {
  now(): number
  /** Calls `run` once after `ms`; the answer cancels it. */
  after(ms: number, run: () => void): () => void
}

export type State =
  | { readonly name: 'stopped' }
  | { readonly name: 'connecting'; readonly attempt: number }
  | { readonly name: 'open'; readonly role: string; readonly conversations: readonly Summary[] }
  /** Comes back by itself after `delay` milliseconds. */
  | { readonly name: 'waiting'; readonly attempt: number; readonly delay: number }
  /** Does not come back by itself; `code` is a close code. */
  | { readonly name: 'refused'; readonly code: number; readonly reason: string }

export interface Events {
  state(state: State): void
  message(conversation: string, seq: number, message: Message): void
  typing(conversation: string, name: string, on: boolean): void
  /** A bot has said this much of its answer; the message itself follows, or nothing does if the bot fails. */
  partial?(conversation: string, answer: PartialAnswer): void
  /** A party of that role has read up to a seq. */
  receipt?(conversation: string, role: string, read: number): void
  /** The customer came, or left. */
  presence?(conversation: string, active: boolean): void
  queue?(conversation: string, place: QueuePlace): void
  /** Messages between the two seqs are no longer kept by the hub. */
  gap(conversation: string, after: number, before: number): void
  /** The hub has a message of ours. */
  sent(ack: Ack): void
  /** The hub will not have a message of ours. */
  refused(draft: Draft, reason: Refused): void
  /** The hub does not know the conversation, or not for this session. */
  lost(conversation: string): void
}

export interface Options {
  readonly url: string
  /** `renew`: the token given before was refused or has expired. Throws NoToken if there is none to be had. */
  token(renew: boolean): Promise<string>
  readonly on: Events
  readonly socket: (url: string, protocol: string, on: SocketEvents) => Socket
  readonly clock: Clock
  readonly random: () => number
  readonly shelf?: Shelf
}
