import { Connection } from '../src/connection'
import type { Clock, Options, Socket, SocketEvents, State } from '../src/contract'
import type { Ack } from '../src/outbox'
import type { Message } from '../src/wire'

/** Time that passes only when told. */
export class FakeClock implements Clock {
  #now = 0
  #timers: { at: number; run: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer)
    }
  }

  /** Lets `ms` pass, running what falls due in its order, and then whatever promises that set off. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers = this.#timers.filter((t) => t !== next)
      this.#now = next.at
      next.run()
      await settled()
    }
    this.#now = end
    await settled()
  }

  get timers(): number {
    return this.#timers.length
  }
}

/** Promises that were resolved have run what waited for them. */
export const settled = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

/** The hub's end of one socket. */
export class FakeSocket implements Socket {
  readonly sent: Record<string, unknown>[] = []
  closedWith: number | null = null

  constructor(
    readonly protocol: string,
    readonly on: SocketEvents,
  ) {}

  send(data: string): void {
    if (this.closedWith !== null) throw new Error('sent on a closed socket')
    for (const line of data.split('\n')) this.sent.push(JSON.parse(line) as Record<string, unknown>)
  }

  close(code: number): void {
    this.closedWith ??= code
  }

  /** The hub says these objects, in one frame. */
  says(...objects: object[]): void {
    this.on.message(objects.map((o) => JSON.stringify(o)).join('\n'))
  }

  /** What the client asked by this name, in order; the id is among it. */
  asked<T = Record<string, unknown>>(operation: string): (T & { id: string })[] {
    return this.sent
      .filter((o) => operation in o)
      .map((o) => ({ ...(o[operation] as T), id: o.id as string }))
  }

  answers(operation: string, ok: object): void {
    const asked = this.asked(operation).at(-1)
    if (!asked) throw new Error(`the client did not ask for ${operation}`)
    this.says({ id: asked.id, ok })
  }
}

export const message = (seq: number, prev: number, text = `m${String(seq)}`, sender = 'custom_bot', messageId = `id-${String(seq)}`): object => ({
  message: {
    conversation: 'c1',
    seq,
    prev,
    message: {
      id: `hub-${String(seq)}`,
      messageId,
      type: { value: 'text' },
      content: { text },
      sender: { type: sender, participant: { name: 'Bot' } },
      created: '2026-05-01T10:00:00Z',
    },
  },
})

export const draft = (messageId: string): { messageId: string; type: { value: string }; content: { text: string } } => ({
  messageId,
  type: { value: 'text' },
  content: { text: `text of ${messageId}` },
})

/** A connection whose other side, time and chance are in the test's hands. */
export class Rig {
  readonly clock = new FakeClock()
  readonly sockets: FakeSocket[] = []
  readonly states: State[] = []
  readonly seen: { seq: number; text: string }[] = []
  readonly gaps: { after: number; before: number }[] = []
  readonly lost: string[] = []
  readonly passing: unknown[] = []
  readonly acks: Ack[] = []
  readonly refusals: string[] = []
  readonly renewals: boolean[] = []
  readonly connection: Connection

  constructor(options: Partial<Pick<Options, 'token' | 'random' | 'shelf'>> = {}) {
    this.connection = new Connection({
      url: 'ws://hub/ws/v1',
      token: (renew) => {
        this.renewals.push(renew)
        return Promise.resolve(renew ? 'new' : 'old')
      },
      random: () => 1,
      ...options,
      clock: this.clock,
      socket: (_url, protocol, on) => {
        const socket = new FakeSocket(protocol, on)
        this.sockets.push(socket)
        return socket
      },
      on: {
        state: (state) => void this.states.push(state),
        message: (_conversation, seq, m: Message) => void this.seen.push({ seq, text: m.text }),
        typing: () => undefined,
        partial: (conversation, { question, text }) => void this.passing.push([conversation, question, text]),
        receipt: (...of) => void this.passing.push(of),
        presence: (...of) => void this.passing.push(of),
        queue: (conversation, { position, estimate }) => void this.passing.push([conversation, position, estimate]),
        gap: (_conversation, after, before) => void this.gaps.push({ after, before }),
        sent: (ack) => void this.acks.push(ack),
        refused: (d, reason) => void this.refusals.push(`${d.messageId}: ${reason.message}`),
        lost: (conversation) => void this.lost.push(conversation),
      },
    })
  }

  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (!socket) throw new Error('no socket was opened')
    return socket
  }

  /** Goes on until `connect` is answered. */
  async opened(ok: object = {}): Promise<void> {
    if (this.connection.state.name === 'stopped') this.connection.start()
    await settled()
    this.socket.on.open()
    this.socket.answers('connect', { session: 's', role: 'customer', ...ok })
    await settled()
  }

  /** Drops the connection as the network would, and waits until the next socket is there. */
  async dropped(code = 1006): Promise<void> {
    this.socket.on.close(code, '')
    await this.waited()
  }

  /** Lets exactly the wait before the next connect pass. */
  async waited(): Promise<void> {
    if (this.connection.state.name === 'waiting') await this.clock.pass(this.connection.state.delay)
  }
}
