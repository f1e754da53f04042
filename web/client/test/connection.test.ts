import { describe, expect, it } from 'vitest'
import { closeCodes } from '../src/codes'
import { CONNECT_MS, MAX_DELAY_MS, reconnectDelay, SILENCE_MS, STABLE_MS } from '../src/delay'
import { NoToken } from '../src/errors'
import { draft, message, Rig, settled } from './fakes'

describe('connecting', () => {
  it('says who it is with the token in the first object, never in the address', async () => {
    const rig = new Rig()
    await rig.opened()
    expect(rig.socket.protocol).toBe('parley.v1.json')
    expect(rig.socket.sent[0]).toEqual({ id: '1', connect: { token: 'old', resume: [] } })
    expect(rig.connection.state).toMatchObject({ name: 'open', role: 'customer' })
  })

  it('tries again when the hub does not answer in time', async () => {
    const rig = new Rig()
    rig.connection.start()
    await settled()
    await rig.clock.pass(CONNECT_MS)
    expect(rig.connection.state.name).toBe('waiting')
    expect(rig.socket.closedWith).not.toBeNull()
  })

  it('tries again when the token cannot be fetched for now, and stops when there is none to be had', async () => {
    const answers = [new TypeError('network'), new NoToken('sign in')]
    const rig = new Rig({ token: () => Promise.reject(answers.shift() ?? new Error('asked too often')) })
    rig.connection.start()
    await settled()
    expect(rig.connection.state.name).toBe('waiting')
    await rig.clock.pass(MAX_DELAY_MS)
    expect(rig.connection.state).toEqual({ name: 'refused', code: 4401, reason: 'sign in' })
    expect(rig.clock.timers).toBe(0)
  })

  it('leaves no timer and no listener behind when stopped', async () => {
    const rig = new Rig()
    await rig.opened()
    const { socket } = rig
    rig.connection.stop()
    socket.on.close(1006, '')
    await rig.clock.pass(MAX_DELAY_MS)
    expect(rig.connection.state.name).toBe('stopped')
    expect([rig.clock.timers, rig.sockets.length, socket.closedWith]).toEqual([0, 1, 1000])
  })

  it('does not join a token that comes after stop', async () => {
    let give: (token: string) => void = () => undefined
    const rig = new Rig({ token: () => new Promise((resolve) => { give = resolve }) })
    rig.connection.start()
    rig.connection.stop()
    give('late')
    await settled()
    expect(rig.sockets).toHaveLength(0)
  })
})

describe('reconnecting', () => {
  it.each([0, 0.25, 0.999])('waits between nothing and a bound that doubles up to 30 s (random %d)', (random) => {
    const bounds = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
    expect(bounds.map((_, attempt) => reconnectDelay(attempt, () => random))).toEqual(bounds.map((b) => b * random))
    expect(reconnectDelay(2000, () => 1)).toBe(MAX_DELAY_MS) // 2 ** 2000 is Infinity
  })

  it('waits longer with each failure, and less again after a connection that lasted', async () => {
    const rig = new Rig()
    rig.connection.start()
    await settled()
    const delays: number[] = []
    const drop = async (): Promise<void> => {
      rig.socket.on.close(1006, '')
      if (rig.connection.state.name === 'waiting') delays.push(rig.connection.state.delay)
      await rig.waited()
    }
    await drop()
    await drop()
    await rig.opened()
    await drop() // it was open, but not for long: a hub that crashes at each connect must not be hammered
    await rig.opened()
    await rig.clock.pass(STABLE_MS)
    await drop()
    expect(delays).toEqual([500, 1000, 2000, 500])
  })

  it('does not wait any longer when told that the network is back', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.on.close(1006, '')
    rig.connection.retryNow()
    await settled()
    await rig.clock.pass(CONNECT_MS - 1) // the wait that was cut short does not connect a second time
    expect(rig.sockets).toHaveLength(2)
  })

  it('comes back when the hub says after a goodbye', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.says({ goodbye: { after: 7321, reason: 'restart' } })
    rig.socket.on.close(1012, '')
    expect(rig.connection.state).toMatchObject({ name: 'waiting', delay: 7321 })
  })

  it('takes silence for a dead connection', async () => {
    const rig = new Rig()
    await rig.opened()
    await rig.clock.pass(SILENCE_MS - 1)
    rig.socket.says({ heartbeat: { last: {} } })
    await rig.clock.pass(SILENCE_MS - 1)
    expect(rig.connection.state.name).toBe('open')
    await rig.clock.pass(1)
    expect(rig.connection.state.name).toBe('waiting')
  })

  it('answers a heartbeat without an id', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.says({ heartbeat: { last: {} } })
    expect(rig.socket.sent.at(-1)).toEqual({ heartbeat: {} })
  })
})

describe('close codes', () => {
  for (const [code, { name, comeBack, newToken }] of Object.entries(closeCodes)) {
    const does = newToken ? 'fetches a new token and connects' : comeBack ? 'comes back after a wait' : 'stays away'
    it(`${code} (${name}): ${does}`, async () => {
      const rig = new Rig()
      await rig.opened()
      rig.socket.on.close(Number(code), 'why')
      await settled()
      if (newToken) {
        expect(rig.renewals).toEqual([false, true])
        rig.socket.on.open()
        expect(rig.socket.asked('connect')[0]).toMatchObject({ token: 'new' })
      } else if (comeBack) {
        expect(rig.connection.state.name).toBe('waiting')
        await rig.waited()
        expect(rig.sockets).toHaveLength(2)
      } else {
        expect(rig.connection.state).toEqual({ name: 'refused', code: Number(code), reason: 'why' })
        await rig.clock.pass(10 * MAX_DELAY_MS)
        expect(rig.sockets).toHaveLength(1)
      }
    })
  }

  it('covers every code of the protocol', () => {
    expect(Object.keys(closeCodes).map(Number)).toEqual(
      [1000, 1001, 1008, 1009, 1011, 1012, 4400, 4401, 4403, 4408, 4409, 4410, 4429])
  })

  it('fetches a new token when the one that was kept is refused at once', async () => {
    const rig = new Rig()
    rig.connection.start()
    await settled()
    rig.socket.on.open()
    rig.socket.on.close(4401, '')
    await settled()
    expect(rig.renewals).toEqual([false, true])
  })

  it('stays away when the renewed token is refused too', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.on.close(4410, '')
    await settled()
    rig.socket.on.close(4401, '')
    await settled()
    expect(rig.connection.state).toMatchObject({ name: 'refused', code: 4401 })
    expect(rig.renewals).toEqual([false, true])
  })

  it('still asks for a new token when the first try to fetch one failed', async () => {
    const asked: boolean[] = []
    const rig = new Rig({
      token: (renew) => {
        asked.push(renew)
        return asked.length === 2 ? Promise.reject(new TypeError('network')) : Promise.resolve('t')
      },
    })
    await rig.opened()
    rig.socket.on.close(4410, '')
    await settled()
    await rig.clock.pass(500)
    expect(asked).toEqual([false, true, true])
  })
})

describe('messages', () => {
  it('resume from where each conversation stood, and come once and in order', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 0)
    rig.socket.says(message(1, 0), message(2, 1))
    await rig.dropped()
    rig.socket.on.open()
    expect(rig.socket.asked('connect')[0]).toMatchObject({ resume: [{ conversation: 'c1', after: 2 }] })
    rig.socket.answers('connect', { role: 'customer', resumed: [{ conversation: 'c1', after: 2, seq: 4 }] })
    rig.socket.says(message(2, 1), message(3, 2), message(5, 3)) // 4 is for others to see
    expect(rig.seen.map((m) => m.seq)).toEqual([1, 2, 3, 5])
  })

  it('of more conversations than a connect may name go on for the last ones', async () => {
    const rig = new Rig()
    for (let i = 0; i < 103; i++) rig.connection.positions.follow(`c${String(i)}`, i)
    await rig.opened()
    const { resume } = rig.socket.asked<{ resume: object[] }>('connect')[0] ?? { resume: [] }
    expect([resume.length, resume[0], resume.at(-1)]).toEqual([100, { conversation: 'c3', after: 3 }, { conversation: 'c102', after: 102 }])
    expect(rig.connection.positions.last('c2')).toBeUndefined()
  })

  it('of a hub that has less than was seen are new', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 20)
    await rig.dropped()
    await rig.opened({ resumed: [{ conversation: 'c1', after: 10, seq: 11 }] })
    rig.socket.says(message(11, 10))
    expect(rig.seen.map((m) => m.seq)).toEqual([11])
  })

  it('that do not follow on what is there are asked for again, once', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 0)
    rig.socket.says(message(1, 0), message(3, 2), message(4, 3))
    expect(rig.socket.asked('subscribe')).toMatchObject([{ conversation: 'c1', after: 1 }])
    rig.socket.answers('subscribe', { conversation: 'c1', after: 1, seq: 4 })
    rig.socket.says(message(2, 1), message(3, 2), message(4, 3))
    expect(rig.seen.map((m) => m.seq)).toEqual([1, 2, 3, 4])
    await settled()
    rig.socket.says(message(6, 5)) // a second hole is seen as well
    expect(rig.socket.asked('subscribe')).toHaveLength(2)
  })

  it('that a heartbeat names and that never came are asked for', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 3)
    rig.socket.says({ heartbeat: { last: { c1: 3, other: 9 } } })
    expect(rig.socket.asked('subscribe')).toHaveLength(0)
    rig.socket.says({ heartbeat: { last: { c1: 4 } } })
    expect(rig.socket.asked('subscribe')).toMatchObject([{ conversation: 'c1', after: 3 }])
  })

  it('that the hub no longer has are told of, and the rest goes on', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 2)
    rig.socket.says({ gap: { conversation: 'c1', after: 2, before: 10 } }, message(10, 9))
    expect(rig.gaps).toEqual([{ after: 2, before: 10 }])
    expect(rig.seen.map((m) => m.seq)).toEqual([10])
    expect(rig.socket.asked('subscribe')).toHaveLength(0)
  })

  it('of a conversation that is refused on resume are not asked for again', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 2)
    await rig.dropped()
    await rig.opened({ refused: [{ conversation: 'c1', code: '404-1' }] })
    expect(rig.lost).toEqual(['c1'])
    await rig.dropped()
    rig.socket.on.open()
    expect(rig.socket.asked('connect')[0]).toMatchObject({ resume: [] })
  })

  it('of which one is not as the protocol says end the connection for good', async () => {
    for (const bad of ['{', '[]', '{"message":{"conversation":"c1","seq":"1"}}', '{"gap":{"conversation":"c1","after":-1}}']) {
      const rig = new Rig()
      await rig.opened()
      rig.socket.on.message(bad)
      expect(rig.connection.state, bad).toMatchObject({ name: 'refused', code: 4400 })
      expect(rig.socket.closedWith, bad).toBe(4400)
    }
  })

  it('of kinds that are not known yet are ignored', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.says({ weather: { where: 'Dover' } })
    expect(rig.connection.state.name).toBe('open')
  })
})

describe('sending', () => {
  it('keeps a message until the hub has it, over drops, under the same messageId', async () => {
    const rig = new Rig()
    rig.connection.post(draft('a'), 'c1')
    await rig.opened()
    expect(rig.socket.asked('post')).toMatchObject([{ messageId: 'a', conversation: { id: 'c1' }, content: { text: 'text of a' } }])
    await rig.dropped()
    await rig.opened()
    expect(rig.socket.asked('post')).toMatchObject([{ messageId: 'a' }])
    rig.socket.answers('post', { conversation: 'c1', seq: 4, messageId: 'a' })
    expect(rig.acks).toEqual([{ conversation: 'c1', seq: 4, messageId: 'a' }])
    await rig.dropped()
    await rig.opened()
    expect(rig.socket.asked('post')).toHaveLength(0)
  })

  it('does not wait for an ack before the next message, and sends each once a connection', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.post(draft('a'), 'c1')
    rig.connection.post(draft('b'), 'c1')
    expect(rig.socket.asked('post').map((m) => m.messageId)).toEqual(['a', 'b'])
  })

  it('sends what gathered offline in portions that the hub takes whole, in order', async () => {
    const rig = new Rig()
    const all = Array.from({ length: 80 }, (_, i) => `m${String(i)}`)
    for (const id of all) rig.connection.post(draft(id), 'c1')
    await rig.opened()
    expect(rig.socket.asked('post').map((m) => m.messageId)).toEqual(all.slice(0, 32))
    for (let i = 0; i < all.length; i++) {
      const { id, messageId } = rig.socket.asked<{ messageId: string }>('post')[i] ?? {}
      rig.socket.says(i % 10 === 3
        ? { id, error: { code: '400-606', developerMessage: 'too long' } }
        : { id, ok: { conversation: 'c1', seq: i + 1, messageId } })
      await settled()
    }
    expect(rig.socket.asked('post').map((m) => m.messageId)).toEqual(all)
    expect([rig.acks.length, rig.refusals.length]).toEqual([72, 8])
  })

  it('holds what follows the first message until the conversation has an id', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.post(draft('a'), null)
    rig.connection.post(draft('b'), null)
    expect(rig.socket.asked('post')).toHaveLength(0)
    rig.socket.answers('open', { conversation: 'c7', seq: 1, messageId: 'a' })
    expect(rig.socket.asked('post')).toMatchObject([{ messageId: 'b', conversation: { id: 'c7' } }])
    rig.socket.answers('post', { conversation: 'c7', seq: 2, messageId: 'b' })
    expect(rig.acks.map((a) => [a.messageId, a.seq])).toEqual([['a', 1], ['b', 2]])
    expect(rig.connection.positions.last('c7')).toBe(2)
  })

  it('rejects what the hub refuses, with what waited for it, and keeps the rest', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.post(draft('a'), null)
    rig.connection.post(draft('b'), null)
    rig.connection.post(draft('c'), 'c1')
    rig.socket.says({ id: rig.socket.asked('open')[0]?.id, error: { code: '400-606', developerMessage: 'too long' } })
    expect(rig.refusals).toEqual(['a: too long', 'b: too long'])
    expect(rig.connection.outbox.entries.map((e) => e.draft.messageId)).toEqual(['c'])
    rig.socket.answers('post', { conversation: 'c1', seq: 2, messageId: 'c' })
    expect(rig.acks.map((a) => a.messageId)).toEqual(['c'])
  })

  it('sends again, later and later, what a busy hub did not take', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.post(draft('a'), 'c1')
    for (const delay of [500, 1000]) {
      const tries = rig.socket.asked('post')
      rig.socket.says({ id: tries.at(-1)?.id, error: { code: '429-100', developerMessage: 'too many' } })
      await rig.clock.pass(delay - 1)
      expect(rig.socket.asked('post')).toHaveLength(tries.length)
      await rig.clock.pass(1)
      expect(rig.socket.asked('post').map((m) => m.messageId)).toEqual([...tries.map(() => 'a'), 'a'])
    }
    rig.socket.answers('post', { conversation: 'c1', seq: 1, messageId: 'a' })
    expect([rig.acks.length, rig.refusals]).toEqual([1, []])
  })

  it('asks what came after a first message, whose ack may be that of a repeat', async () => {
    const rig = new Rig()
    rig.connection.post(draft('a'), null)
    await rig.opened()
    await rig.dropped()
    await rig.opened()
    rig.socket.answers('open', { conversation: 'c1', seq: 1, messageId: 'a' })
    expect(rig.socket.asked('subscribe')).toMatchObject([{ conversation: 'c1', after: 1 }])
    rig.socket.answers('subscribe', { conversation: 'c1', after: 1, seq: 2 })
    rig.socket.says(message(2, 1))
    expect(rig.seen.map((m) => m.seq)).toEqual([2])
  })

  it('takes the message itself for the ack that was lost, unless someone else uses the same id', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 0)
    rig.connection.post(draft('a'), 'c1')
    await rig.dropped()
    await rig.opened()
    rig.socket.says(message(1, 0, 'hi', 'custom_bot', 'a'))
    expect(rig.connection.outbox.entries).toHaveLength(1)
    rig.socket.says(message(2, 1, 'text of a', 'customer', 'a'))
    rig.socket.answers('post', { conversation: 'c1', seq: 2, messageId: 'a' }) // the repeat's ack comes as well
    expect(rig.acks).toEqual([{ conversation: 'c1', seq: 2, messageId: 'a' }])
    expect(rig.connection.outbox.entries).toHaveLength(0)
  })

  it('does not let an ack hide a message that is still on its way', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.connection.positions.follow('c1', 3)
    rig.connection.post(draft('a'), 'c1')
    rig.socket.answers('post', { conversation: 'c1', seq: 6, messageId: 'a' }) // a repeat's ack, before 4 and 5 came
    rig.socket.says(message(4, 3), message(5, 4))
    expect(rig.seen.map((m) => m.seq)).toEqual([4, 5])
  })

  it('goes on after a reload with what the shelf kept', async () => {
    let kept: string | null = null
    const shelf = {
      load: () => (kept === null ? [] : (JSON.parse(kept) as [])),
      save: (entries: unknown) => { kept = JSON.stringify(entries) },
    }
    new Rig({ shelf }).connection.post(draft('a'), 'c1')
    const rig = new Rig({ shelf })
    await rig.opened()
    expect(rig.socket.asked('post')).toMatchObject([{ messageId: 'a', conversation: { id: 'c1' } }])
    rig.socket.answers('post', { conversation: 'c1', seq: 1, messageId: 'a' })
    expect(kept).toBe('[]')
  })
})

describe('asking', () => {
  it('rejects when there is no connection, and when it goes away before the answer', async () => {
    const rig = new Rig()
    await expect(rig.connection.ask('history', {})).rejects.toThrow('not connected')
    await rig.opened()
    const asked = rig.connection.ask('history', { conversation: 'c1' })
    rig.socket.on.close(1006, '')
    await expect(asked).rejects.toThrow('lost')
  })
})

describe('what passes', () => {
  it('tells who read, who is there and who waits where', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.says(
      { receipt: { conversation: 'c1', role: 'customer', read: 3 } },
      { presence: { conversation: 'c1', role: 'customer', name: 'Anna', active: true } },
      { queue: { conversation: 'c1', position: 2, estimate: 90 } },
      { queue: { conversation: 'c1', position: 1 } },
    )
    expect(rig.passing).toEqual([['c1', 'customer', 3], ['c1', true], ['c1', 2, 90], ['c1', 1, 0]])
  })

  it('tells what a bot has said so far', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.says({ partial: { conversation: 'c1', question: 3, text: 'Your parcel is on' } }, { partial: { conversation: 'c1', question: 3, text: '' } })
    expect(rig.passing).toEqual([['c1', 3, 'Your parcel is on'], ['c1', 3, '']])
  })

  it('renews the token in band when it is about to end', async () => {
    const rig = new Rig()
    await rig.opened()
    rig.socket.says({ expiring: { expires: '2026-05-01T10:00:00Z' } })
    await settled()
    expect(rig.renewals).toEqual([false, true])
    expect(rig.socket.asked('refresh')).toMatchObject([{ token: 'new' }])
    expect(rig.connection.state.name).toBe('open')
  })
})
