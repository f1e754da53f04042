import { closeCodes } from './codes'
import { CONNECT_MS, reconnectDelay, SILENCE_MS, STABLE_MS } from './delay'
import { ConnectionLost, NoToken, Refused } from './errors'
import { Outbox, type Ack, type Draft, type Shelf } from './outbox'
import { Positions } from './positions'
import { count, decodeFrame, decodeSummaries, list, fields, optionalText, text } from './wire'
import { WireError, type Message, type ServerObject, type Summary } from './wire'

export const PROTOCOL = 'parley.v1.json'

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
  /** Messages between the two seqs are no longer kept by the hub. */
  gap(conversation: string, after: number, before: number): void
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

type Fields = Readonly<Record<string, unknown>>

interface Asked {
  resolve(body: Fields): void
  reject(reason: unknown): void
}

const toAck = (ok: Fields, messageId: string): Ack => ({
  conversation: text(ok, 'conversation'),
  seq: count(ok, 'seq'),
  messageId,
})

/**
 * One WebSocket to the hub that comes back by itself, goes on where each conversation stood, and sends again what was
 * not acknowledged. Only `#become` changes the state.
 */
export class Connection {
  readonly positions = new Positions()
  readonly outbox: Outbox
  readonly #o: Options
  #state: State = { name: 'stopped' }
  #socket: Socket | null = null
  #round = 0 // counts connects and their ends, so that what belongs to an earlier one is known
  #attempt = 0
  #openSince = 0
  #goodbye: number | null = null
  #token: 'usual' | 'renew' | 'renewed' = 'usual' // refused once: renew it; refused although renewed: stop
  #nextId = 1
  readonly #asked = new Map<string, Asked>() // on this connection
  readonly #sent = new Set<string>() // messageIds of the outbox that this connection carries already
  #cancelRetry = (): void => undefined
  #cancelWatch = (): void => undefined

  constructor(options: Options) {
    this.#o = options
    this.outbox = new Outbox(options.shelf)
  }

  get state(): State {
    return this.#state
  }

  start(): void {
    if (this.#state.name !== 'stopped' && this.#state.name !== 'refused') return
    this.#token = 'usual'
    this.#attempt = 0
    void this.#connect()
  }

  /** Does not wait any longer: for a button, or when the browser is online again. */
  retryNow(): void {
    if (this.#state.name !== 'waiting') return
    this.#cancelRetry()
    void this.#connect()
  }

  stop(): void {
    this.#leave(1000, 'stopped')
    this.#become({ name: 'stopped' })
  }

  /** Asks once, on this connection. Rejects with Refused, or ConnectionLost when there is none or it goes away. */
  ask(operation: string, body: object): Promise<Fields> {
    if (this.#state.name !== 'open') return Promise.reject(new ConnectionLost('not connected'))
    return new Promise((resolve, reject) => this.#send(operation, body, { resolve, reject }))
  }

  /** Tells without caring for an answer, if there is a connection: for typing. */
  tell(operation: string, body: object): void {
    this.ask(operation, body).catch(() => undefined)
  }

  /** Sends a message, over as many connections as it takes. `conversation` null starts one. */
  post(draft: Draft, conversation: string | null): Promise<Ack> {
    const acknowledged = this.outbox.add(draft, conversation)
    this.#flush()
    return acknowledged
  }

  #become(state: State): void {
    this.#state = state
    this.#o.on.state(state)
  }

  async #connect(): Promise<void> {
    const round = ++this.#round
    this.#become({ name: 'connecting', attempt: this.#attempt })
    let token: string
    try {
      token = await this.#o.token(this.#token === 'renew')
    } catch (err) {
      if (round !== this.#round || this.#state.name !== 'connecting') return
      if (err instanceof NoToken) this.#become({ name: 'refused', code: 4401, reason: err.message })
      else this.#wait()
      return
    }
    if (round !== this.#round || this.#state.name !== 'connecting') return
    if (this.#token === 'renew') this.#token = 'renewed'
    this.#watch(CONNECT_MS)
    this.#socket = this.#o.socket(this.#o.url, PROTOCOL, this.#listener(round, token))
  }

  #listener(round: number, token: string): SocketEvents {
    const current = (): boolean => this.#round === round // a socket that was given up is not listened to
    return {
      open: () => {
        if (!current()) return
        this.#send('connect', { token, resume: this.positions.resume() }, {
          resolve: (body) => { this.#opened(body) },
          reject: () => undefined, // a close code follows and says more
        })
      },
      message: (data) => {
        if (!current()) return
        if (this.#state.name === 'open') this.#watch(SILENCE_MS)
        try {
          for (const object of decodeFrame(data)) {
            if (current()) this.#handle(object)
          }
        } catch (err) {
          if (!(err instanceof WireError)) throw err
          this.#leave(4400, err.message)
          this.#become({ name: 'refused', code: 4400, reason: err.message })
        }
      },
      close: (code, reason) => {
        if (current()) this.#closed(code, reason)
      },
    }
  }

  #opened(body: Fields): void {
    for (const item of list(body.refused, 'refused')) {
      const conversation = text(fields(item, 'refused'), 'conversation')
      this.positions.forget(conversation)
      this.#o.on.lost(conversation)
    }
    const conversations = decodeSummaries(body.conversations)
    this.#token = 'usual'
    this.#openSince = this.#o.clock.now()
    this.#watch(SILENCE_MS)
    this.#become({ name: 'open', role: optionalText(body, 'role'), conversations })
    this.#flush()
  }

  #handle(o: ServerObject): void {
    switch (o.kind) {
      case 'ok':
        return this.#answered(o.id)?.resolve(o.body)
      case 'error':
        return this.#answered(o.id)?.reject(new Refused(o.code, o.text))
      case 'message':
        return this.#received(o.conversation, o.seq, o.prev, o.message)
      case 'typing':
        return this.#o.on.typing(o.conversation, o.name, o.on)
      case 'heartbeat':
        this.#socket?.send('{"heartbeat":{}}')
        for (const [conversation, last] of o.last) {
          if (last > (this.positions.last(conversation) ?? Infinity)) this.#fill(conversation)
        }
        return
      case 'gap':
        this.positions.skipTo(o.conversation, o.before)
        return this.#o.on.gap(o.conversation, o.after, o.before)
      case 'goodbye':
        this.#goodbye = o.after
        return
      case 'unknown':
        return
    }
  }

  #received(conversation: string, seq: number, prev: number, message: Message): void {
    switch (this.positions.take(conversation, seq, prev)) {
      case 'hole':
        return this.#fill(conversation)
      case 'known':
        return
      case 'new':
        // An own message whose ack was lost: it is there, so it need not be sent again. Others may use the same id.
        if (this.#state.name === 'open' && message.sender.type === this.#state.role) {
          this.outbox.settle({ conversation, seq, messageId: message.messageId })
        }
        this.#o.on.message(conversation, seq, message)
    }
  }

  /** Asks for everything after our own position; what comes meanwhile and does not join is dropped, it comes again. */
  #fill(conversation: string): void {
    if (!this.positions.startFilling(conversation)) return
    const done = (): void => { this.positions.filled(conversation) }
    this.ask('subscribe', { conversation, after: this.positions.last(conversation) }).then(done, done)
  }

  #flush(): void {
    if (this.#state.name !== 'open') return
    for (const { draft, conversation } of this.outbox.sendable()) {
      const { messageId } = draft
      if (this.#sent.has(messageId)) continue
      this.#sent.add(messageId)
      const refused = (reason: unknown): void => {
        if (reason instanceof Refused) this.outbox.refuse(messageId, reason)
      }
      if (conversation === null) {
        const started = (ok: Fields): void => {
          const ack = toAck(ok, messageId)
          // Repeated after a drop, it may be followed already, and further on.
          if (this.positions.last(ack.conversation) === undefined) this.positions.follow(ack.conversation, ack.seq)
          this.outbox.settle(ack)
          this.#flush()
        }
        this.#send('open', { message: draft }, { resolve: started, reject: refused })
      } else {
        const posted = (ok: Fields): void => {
          const ack = toAck(ok, messageId)
          this.positions.acknowledged(ack.conversation, ack.seq, 'prev' in ok ? count(ok, 'prev') : undefined)
          this.outbox.settle(ack)
        }
        this.#send('post', { ...draft, conversation: { id: conversation } }, { resolve: posted, reject: refused })
      }
    }
  }

  #send(operation: string, body: object, asked: Asked): void {
    const id = String(this.#nextId++)
    this.#asked.set(id, asked)
    this.#socket?.send(JSON.stringify({ id, [operation]: body }))
  }

  #answered(id: string): Asked | undefined {
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    return asked
  }

  #closed(code: number, reason: string): void {
    const wasOpen = this.#state.name === 'open'
    this.#leave(1000, '')
    if (wasOpen && this.#o.clock.now() - this.#openSince >= STABLE_MS) this.#attempt = 0
    const known = closeCodes[code]
    if (known?.newToken && this.#token !== 'renewed') {
      this.#token = 'renew'
      void this.#connect()
    } else if (known && !known.comeBack) {
      this.#become({ name: 'refused', code, reason: reason || known.name })
    } else {
      this.#wait() // a code that we do not know is mostly the network's (1006)
    }
  }

  #wait(): void {
    const delay = this.#goodbye ?? reconnectDelay(this.#attempt, this.#o.random)
    const attempt = this.#attempt++
    this.#goodbye = null
    this.#cancelRetry = this.#o.clock.after(delay, () => { void this.#connect() })
    this.#become({ name: 'waiting', attempt, delay })
  }

  #watch(ms: number): void {
    this.#cancelWatch()
    this.#cancelWatch = this.#o.clock.after(ms, () => { this.#closed(1006, 'silence') })
  }

  /** Gives the socket up without waiting for its close event, which a dead network may never bring. */
  #leave(code: number, reason: string): void {
    this.#round++
    this.#cancelRetry()
    this.#cancelWatch()
    const socket = this.#socket
    this.#socket = null
    socket?.close(code, reason)
    const asked = [...this.#asked.values()]
    this.#asked.clear()
    this.#sent.clear()
    for (const a of asked) a.reject(new ConnectionLost('the connection was lost'))
  }
}
