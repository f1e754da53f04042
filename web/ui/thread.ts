import type { Ack, Client, Draft, Message, Refused } from '../client/src/client'
import { Timeline } from '../client/src/timeline'
import type { Transcript } from './transcript'

/** One conversation on a page: its lines, what of it is loaded, and the messages sent into it from here. */
export class Thread {
  readonly timeline = new Timeline()
  /** The past up to now is there, so that what is written goes into the right conversation. */
  loaded = false
  /** There is an earlier past to load. */
  more = false
  /** How far the other side has read. */
  theyRead = 0
  #read = 0 // told to the hub
  #closed = false

  constructor(
    /** Null until the first message was taken. */
    public conversation: string | null,
    private readonly client: Client,
    private readonly transcript: Transcript,
    private readonly me: () => Message['sender'],
    private readonly changed: () => void,
  ) {}

  /** Loads the newest page of the past and follows from there. Rejects with Refused if the hub does not know it. */
  async load(): Promise<void> {
    for (const { draft, conversation } of this.client.unsent) {
      if (conversation === this.conversation) this.timeline.pend(draft, this.me())
    }
    if (this.conversation !== null) {
      const { messages, more } = await this.client.history(this.conversation)
      for (const placed of messages) this.timeline.place(placed)
      this.more = more
      await this.client.follow(this.conversation, this.timeline.last)
    }
    this.loaded = true
    this.show()
  }

  async loadEarlier(): Promise<void> {
    if (this.conversation === null) return
    const { messages, more } = await this.client.history(this.conversation, this.timeline.first)
    this.transcript.keepPlace(() => {
      for (const placed of messages) this.timeline.place(placed)
      this.more = more
      this.show()
    })
  }

  arrived(seq: number, message: Message): void {
    this.timeline.place({ seq, message })
    this.show()
  }

  /** The other side has read up to a message. */
  receipt(read: number): void {
    this.theyRead = Math.max(this.theyRead, read)
    this.show()
  }

  /** The last own message that the hub has; 0 if there is none. */
  lastOwn(): number {
    const own = this.me().type
    return this.timeline.lines.reduce((last, line) => line.message.sender.type === own ? Math.max(last, line.seq ?? 0) : last, 0)
  }

  /** The bot that spoke last, or any. */
  get bot(): Message['sender'] {
    const said = this.timeline.lines.filter(({ message }) => message.sender.type.endsWith('_bot')).at(-1)
    return said?.message.sender ?? { type: 'custom_bot', name: '' }
  }

  /** Tells that what is shown was read, if someone looks at the page. */
  markRead(): void {
    const { last } = this.timeline
    if (this.conversation === null || !this.client.connected || last <= this.#read || document.visibilityState !== 'visible') return
    this.#read = last
    this.client.read(this.conversation, last)
  }

  /** Shows the message at once; `sent` or `refused` tells of it later. */
  send(draft: Draft): void {
    this.timeline.pend(draft, this.me())
    this.show()
    this.client.send(draft, this.conversation)
  }

  /** Sends a refused message again. The same id: had the hub taken it after all, it stays one message. */
  retry({ messageId, type, text, json }: Message): void {
    this.timeline.withdraw(messageId)
    this.send({ messageId, type: { value: type }, content: { text, json } })
  }

  /** The hub has a message of this page, which may belong to another conversation by now. */
  sent({ conversation, seq, messageId }: Ack): void {
    if (this.conversation === null && this.timeline.pending(messageId)) this.conversation = conversation
    if (this.conversation !== conversation) return
    this.timeline.acknowledge(messageId, seq)
    this.show()
  }

  refused({ messageId }: Draft, reason: Refused): void {
    this.timeline.refuse(messageId, reason.message)
    this.show()
  }

  /** Another conversation is shown from now on; what is still to come for this one stays unseen. */
  close(): void {
    this.#closed = true
    if (this.conversation !== null) this.client.unfollow(this.conversation)
  }

  show(): void {
    if (this.#closed) return
    this.transcript.show(this.timeline)
    this.markRead()
    this.changed()
  }
}
