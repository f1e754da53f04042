import { closeCodes } from './codes'
import type { Options, Socket, SocketEvents, State } from './contract'
import { CONNECT_MS, reconnectDelay, SILENCE_MS, STABLE_MS } from './delay'
import { ConnectionLost, NoToken, Refused } from './errors'
import { Outbox, type Ack, type Draft } from './outbox'
import { Positions } from './positions'
import { count, decodeFrame, decodeSummaries, list, fields, optionalText, text } from './wire'
import { WireError, type Message, type ServerObject } from './wire'

export const PROTOCOL = 'parley.v1.json'

/**
 * How many messages may be on their way. The hub takes 64 requests at a time: of more it would refuse some in the middle, and take
 * those behind them first.
 */
const IN_FLIGHT = 32

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
  #busy = 0 // refusals in a row for a reason that passes
  #cancelFlush = (): void => undefined
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

  /**
   * Sends a message, over as many connections as it takes, until `on.sent` or `on.refused` tells of it.
   * `conversation` null starts one.
   */
  post(draft: Draft, conversation: string | null): void {
    this.outbox.add(draft, conversation)
    this.#flush()
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
    for (const item of list(body.resumed, 'resumed')) {
      const place = fields(item, 'resumed')
      this.positions.goBack(text(place, 'conversation'), count(place, 'after'))
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
      case 'partial':
        return this.#o.on.partial?.(o.conversation, o)
      case 'receipt':
        return this.#o.on.receipt?.(o.conversation, o.role, o.read)
      case 'presence':
        return this.#o.on.presence?.(o.conversation, o.active)
      case 'queue':
        return this.#o.on.queue?.(o.conversation, o)
      case 'expiring':
        void this.#refresh()
        return
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
          this.#settle({ conversation, seq, messageId: message.messageId })
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

  /** Goes on with a new token. If there is none to be had the session ends with the old one, and its close code says so. */
  async #refresh(): Promise<void> {
    try {
      await this.ask('refresh', { token: await this.#o.token(true) })
    } catch (err) {
      if (!(err instanceof Error)) throw err
    }
  }

  #flush(): void {
    if (this.#state.name !== 'open') return
    for (const { draft, conversation } of this.outbox.sendable()) {
      const { messageId } = draft
      if (this.#sent.has(messageId)) continue
      if (this.#sent.size >= IN_FLIGHT) return // the others follow as these are answered
      this.#sent.add(messageId)
      const reject = (reason: unknown): void => {
        if (!(reason instanceof Refused)) return // the connection was lost: it stays, for the next one
        if (reason.temporary) {
          this.#sent.delete(messageId)
          this.#flushLater()
          return
        }
        for (const entry of this.outbox.refuse(messageId)) this.#o.on.refused(entry.draft, reason)
        this.#sent.delete(messageId)
        this.#flush()
      }
      if (conversation === null) {
        const resolve = (ok: Fields): void => {
          const ack = toAck(ok, messageId)
          // The ack of a repeat: by now there may be more in the conversation than its first message.
          if (this.positions.last(ack.conversation) === undefined) this.positions.follow(ack.conversation, ack.seq)
          this.#fill(ack.conversation)
          this.#settle(ack)
          this.#flush()
        }
        this.#send('open', { message: draft }, { resolve, reject })
      } else {
        const resolve = (ok: Fields): void => {
          const ack = toAck(ok, messageId)
          this.positions.acknowledged(ack.conversation, ack.seq, 'prev' in ok ? count(ok, 'prev') : undefined)
          this.#settle(ack)
        }
        this.#send('post', { ...draft, conversation: { id: conversation } }, { resolve, reject })
      }
    }
  }

  #flushLater(): void {
    this.#cancelFlush()
    this.#cancelFlush = this.#o.clock.after(reconnectDelay(this.#busy++, this.#o.random), () => { this.#flush() })
  }

  #settle(ack: Ack): void {
    this.#busy = 0
    if (this.outbox.settle(ack)) this.#o.on.sent(ack)
    if (this.#sent.delete(ack.messageId)) this.#flush()
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
    this.#cancelFlush()
    const socket = this.#socket
    this.#socket = null
    socket?.close(code, reason)
    const asked = [...this.#asked.values()]
    this.#asked.clear()
    this.#sent.clear()
    for (const a of asked) a.reject(new ConnectionLost('the connection was lost'))
  }
}
