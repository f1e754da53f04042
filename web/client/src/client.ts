import { Connection } from './connection'
import type { Clock, Events, Options, Socket, SocketEvents } from './contract'
import { Refused } from './errors'
import type { Draft, Shelf } from './outbox'
import { decodeHistory, decodeSummaries, type Message, type Placed, type Summary } from './wire'

export type { Events, State } from './contract'
export type { Ack, Draft, Entry, Shelf } from './outbox'
export type { Attachment, Message, PartialAnswer, Placed, QueuePlace, Summary } from './wire'
export { ConnectionLost, NoToken, Refused } from './errors'

export interface ClientOptions {
  /** ws: or wss: address of `/ws/v1`. */
  readonly url: string
  /** See Options.token of the connection. */
  token(renew: boolean): Promise<string>
  readonly on: Events
  /** Keeps what was not sent over a reload. */
  readonly shelf?: Shelf
}

export const browserClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms)
    return () => { clearTimeout(timer) }
  },
}

export const browserSocket = (url: string, protocol: string, on: SocketEvents): Socket => {
  const socket = new WebSocket(url, protocol)
  socket.onopen = () => { on.open() }
  socket.onmessage = ({ data }) => { on.message(data) }
  socket.onclose = ({ code, reason }) => { on.close(code, reason) }
  return socket
}

/**
 * A session with the hub.
 *
 * Messages of a followed conversation reach `on.message` in the hub's order, each once, over any number of drops.
 * `send` keeps a message until the hub has it. Start with `start`; `stop` ends it for good.
 */
export class Client {
  readonly #connection: Connection

  constructor(options: ClientOptions, parts: Partial<Pick<Options, 'socket' | 'clock' | 'random'>> = {}) {
    this.#connection = new Connection({
      socket: browserSocket,
      clock: browserClock,
      random: Math.random,
      ...parts,
      ...options,
    })
  }

  start(): void {
    this.#connection.start()
  }

  stop(): void {
    this.#connection.stop()
  }

  /** Connects at once if it was waiting to: call it when the browser is online again. */
  retryNow(): void {
    this.#connection.retryNow()
  }

  get connected(): boolean {
    return this.#connection.state.name === 'open'
  }

  /** Messages that the hub has not acknowledged, for instance from before a reload. */
  get unsent(): Connection['outbox']['entries'] {
    return this.#connection.outbox.entries
  }

  /** Sends a message into a conversation, or starts one with it; `on.sent` or `on.refused` tells how it went. */
  send(draft: Draft, conversation: string | null): void {
    this.#connection.post(draft, conversation)
  }

  /** A page of the past, ascending: the newest one, or the one before a place. */
  async history(conversation: string, before?: number): Promise<{ messages: Placed[]; more: boolean }> {
    return decodeHistory(await this.#connection.ask('history', before ? { conversation, before } : { conversation }))
  }

  /** From now on, and after every drop, everything after `after` arrives in order. */
  async follow(conversation: string, after: number): Promise<void> {
    const { positions } = this.#connection
    const before = positions.last(conversation)
    // First: what is still missing when the next message comes is then seen as a hole.
    positions.follow(conversation, after)
    try {
      await this.#connection.ask('subscribe', { conversation, after })
    } catch (err) {
      if (err instanceof Refused && before === undefined) positions.forget(conversation) // or each resume would name it
      throw err
    }
  }

  /** Whether messages of this conversation arrive in order, or only as news. */
  follows(conversation: string): boolean {
    return this.#connection.positions.last(conversation) !== undefined
  }

  unfollow(conversation: string): void {
    this.#connection.positions.forget(conversation)
  }

  /** For applications: the conversations of this role, newest first. Their messages arrive from now on. */
  async conversations(): Promise<Summary[]> {
    return decodeSummaries((await this.#connection.ask('subscribe', { all: true })).conversations)
  }

  /** Says that this side has read up to a message. Lost if there is no connection: the next one says more. */
  read(conversation: string, seq: number): void {
    this.#connection.tell('read', { conversation, seq })
  }

  /** Says that someone types, or stopped. Lost if there is no connection. */
  typing(conversation: string, on: boolean): void {
    this.#connection.tell('typing', { conversation, on })
  }
}

/** The message that says what a person chose among the answers that a message offered: the title, with what was chosen beside it. */
export const choiceDraft = (offer: Message, { id, title }: { readonly id: string; readonly title: string }): Draft => ({
  messageId: crypto.randomUUID(),
  type: { value: 'text' },
  content: { text: title, json: { selection: [{ id, title }] } },
  parent: { messageId: offer.messageId },
})

/** A message of text, with an id of its own. */
export const textDraft = (text: string): Draft => ({
  messageId: crypto.randomUUID(),
  type: { value: 'text' },
  content: { text },
})
