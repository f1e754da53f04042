// What travels over the WebSocket. Bytes from the wire are `unknown` until something here has checked them.

/** A message of a conversation as the hub tells it. */
export interface Message {
  readonly id: string
  readonly messageId: string
  /** For instance `text` or `conversation.end`. Unknown types are not shown. */
  readonly type: string
  readonly text: string
  /** The same with markup, from whoever wrote it: nothing to trust. Empty if there is none. */
  readonly html: string
  readonly json: Readonly<Record<string, unknown>>
  readonly attachments: readonly Attachment[]
  readonly sender: { readonly type: string; readonly name: string }
  /** RFC 3339; empty if the hub did not say. */
  readonly created: string
}

/** What goes along with a message. The address may be anything. */
export interface Attachment {
  readonly url: string
  readonly name: string
  /** For instance `image/png`; empty if nobody said. */
  readonly contentType: string
}

/** What a bot has said so far of an answer that is on its way. */
export interface PartialAnswer {
  /** Seq of what it answers. */
  readonly question: number
  /** All of it so far, as plain text. */
  readonly text: string
}

/** What a list of conversations tells of each. */
export interface Summary {
  readonly conversation: string
  /** The last message that this session may see. */
  readonly seq: number
  readonly status: string
  readonly created: string
  readonly customerName: string
  /** The kind of the turn's owner: bot, queue, agent or none; empty if the hub did not say. */
  readonly owner: string
}

export interface Placed {
  readonly seq: number
  readonly message: Message
}

/** A place in the queue. */
export interface QueuePlace {
  /** 1 is next; 0 is not waiting any more. */
  readonly position: number
  /** Seconds; 0 while nobody can tell. */
  readonly estimate: number
}

export type ServerObject =
  | { readonly kind: 'ok'; readonly id: string; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'error'; readonly id: string; readonly code: string; readonly text: string }
  | {
      readonly kind: 'message'
      readonly conversation: string
      readonly seq: number
      /** The message before it that this session may see; 0 if it is the first. */
      readonly prev: number
      readonly message: Message
    }
  | { readonly kind: 'typing'; readonly conversation: string; readonly name: string; readonly on: boolean }
  | ({ readonly kind: 'partial'; readonly conversation: string } & PartialAnswer)
  | { readonly kind: 'receipt'; readonly conversation: string; readonly role: string; readonly read: number }
  | { readonly kind: 'presence'; readonly conversation: string; readonly active: boolean }
  | ({ readonly kind: 'queue'; readonly conversation: string } & QueuePlace)
  | { readonly kind: 'expiring' }
  | { readonly kind: 'heartbeat'; readonly last: ReadonlyMap<string, number> }
  | { readonly kind: 'gap'; readonly conversation: string; readonly after: number; readonly before: number }
  | { readonly kind: 'goodbye'; readonly after: number; readonly reason: string }
  /** Something a newer hub says and we do not know: ignored. */
  | { readonly kind: 'unknown' }

/** What came was not what the protocol says. The text names the place, never the content. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

type Fields = Readonly<Record<string, unknown>>

/** Reads a frame: one or more JSON objects separated by newlines. Throws WireError. */
export function decodeFrame(data: unknown): ServerObject[] {
  if (typeof data !== 'string') throw new WireError('a frame is not text')
  return data
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => decodeObject(fields(parse(line), 'frame')))
}

function decodeObject(o: Fields): ServerObject {
  if ('ok' in o) return { kind: 'ok', id: text(o, 'id'), body: fields(o.ok, 'ok') }
  if ('error' in o) {
    const e = fields(o.error, 'error')
    // A reply to what could not be read carries no id.
    return { kind: 'error', id: optionalText(o, 'id'), code: text(e, 'code'), text: optionalText(e, 'developerMessage') }
  }
  if ('message' in o) {
    const m = fields(o.message, 'message')
    return {
      kind: 'message',
      conversation: text(m, 'conversation'),
      seq: count(m, 'seq'),
      prev: count(m, 'prev'),
      message: decodeMessage(m.message),
    }
  }
  if ('typing' in o) {
    const t = fields(o.typing, 'typing')
    return { kind: 'typing', conversation: text(t, 'conversation'), name: optionalText(t, 'name'), on: t.on === true }
  }
  if ('partial' in o) {
    const p = fields(o.partial, 'partial')
    return { kind: 'partial', conversation: text(p, 'conversation'), question: count(p, 'question'), text: optionalText(p, 'text') }
  }
  if ('receipt' in o) {
    const r = fields(o.receipt, 'receipt')
    return { kind: 'receipt', conversation: text(r, 'conversation'), role: text(r, 'role'), read: count(r, 'read') }
  }
  if ('presence' in o) {
    const p = fields(o.presence, 'presence')
    return { kind: 'presence', conversation: text(p, 'conversation'), active: p.active === true }
  }
  if ('queue' in o) {
    const q = fields(o.queue, 'queue')
    return { kind: 'queue', conversation: text(q, 'conversation'), position: count(q, 'position'), estimate: count(q, 'estimate') }
  }
  if ('expiring' in o) return { kind: 'expiring' }
  if ('heartbeat' in o) {
    const last = fields(fields(o.heartbeat, 'heartbeat').last ?? {}, 'heartbeat.last')
    return { kind: 'heartbeat', last: new Map(Object.keys(last).map((id) => [id, count(last, id)])) }
  }
  if ('gap' in o) {
    const g = fields(o.gap, 'gap')
    return { kind: 'gap', conversation: text(g, 'conversation'), after: count(g, 'after'), before: count(g, 'before') }
  }
  if ('goodbye' in o) {
    const g = fields(o.goodbye, 'goodbye')
    return { kind: 'goodbye', after: count(g, 'after'), reason: optionalText(g, 'reason') }
  }
  return { kind: 'unknown' }
}

export function decodeMessage(value: unknown): Message {
  const m = fields(value, 'message')
  const content = fields(m.content ?? {}, 'content')
  const sender = fields(m.sender ?? {}, 'sender')
  const id = text(m, 'id')
  return {
    id,
    messageId: optionalText(m, 'messageId') || id,
    type: text(fields(m.type, 'type'), 'value'),
    text: optionalText(content, 'text'),
    html: optionalText(content, 'html'),
    json: isFields(content.json) ? content.json : {},
    attachments: list(fields(m.attachments ?? {}, 'attachments').attachment, 'attachment').map((item) => {
      const a = fields(item, 'attachment')
      return { url: optionalText(a, 'url'), name: optionalText(a, 'name'), contentType: optionalText(a, 'contentType') }
    }),
    sender: {
      type: optionalText(sender, 'type'),
      name: optionalText(fields(sender.participant ?? {}, 'participant'), 'name'),
    },
    created: optionalText(m, 'created'),
  }
}

export function decodeSummaries(value: unknown): Summary[] {
  return list(value, 'conversations').map((item) => {
    const c = fields(item, 'conversation')
    return {
      conversation: text(c, 'conversation'),
      seq: count(c, 'seq'),
      status: optionalText(c, 'status'),
      created: optionalText(c, 'created'),
      customerName: optionalText(c, 'customerName'),
      owner: optionalText(fields(c.owner ?? {}, 'owner'), 'kind'),
    }
  })
}

/** A page of `history`, ascending, and whether there is more beyond it. */
export function decodeHistory(body: Fields): { messages: Placed[]; more: boolean } {
  const messages = list(body.messages, 'messages').map((item) => {
    const m = fields(item, 'messages')
    return { seq: count(m, 'seq'), message: decodeMessage(m.message) }
  })
  return { messages, more: body.more === true }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch {
    throw new WireError('a frame is not JSON')
  }
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function fields(value: unknown, where: string): Fields {
  if (!isFields(value)) throw new WireError(`${where} is not an object`)
  return value
}

/** An absent list is an empty one: encoders may leave it out. */
export function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new WireError(`${where} is not a list`)
  return value
}

export function text(o: Fields, name: string): string {
  const value = o[name]
  if (typeof value !== 'string' || value === '') throw new WireError(`${name} is not a text`)
  return value
}

export function optionalText(o: Fields, name: string): string {
  const value = o[name]
  return typeof value === 'string' ? value : ''
}

/** A whole number from 0; an absent one is 0, since encoders may leave it out. */
export function count(o: Fields, name: string): number {
  const value = o[name] ?? 0
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new WireError(`${name} is not a whole number`)
  }
  return value
}
