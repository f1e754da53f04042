import { describe, expect, it } from 'vitest'
import { Timeline } from '../src/timeline'
import { decodeMessage, type Placed } from '../src/wire'
import { draft } from './fakes'

const placed = (seq: number, messageId = `m${String(seq)}`, sender = 'custom_bot', type = 'text'): Placed => ({
  seq,
  message: decodeMessage({ id: `hub-${String(seq)}`, messageId, type: { value: type }, content: { text: messageId }, sender: { type: sender } }),
})

const me = { type: 'customer', name: '' }
const shown = (t: Timeline): string[] => t.lines.map((l) => `${String(l.seq)} ${l.message.messageId}`)

describe('a timeline', () => {
  it('keeps the order of the hub, whatever the order of arrival, and each message once', () => {
    const t = new Timeline()
    for (const seq of [3, 1, 3, 2, 1]) t.place(placed(seq))
    expect(shown(t)).toEqual(['1 m1', '2 m2', '3 m3'])
    expect([t.first, t.last]).toEqual([1, 3])
  })

  it('shows own messages last until they have a place, and keeps their line', () => {
    const t = new Timeline()
    t.pend(draft('a'), me)
    t.pend(draft('b'), me)
    const keys = t.lines.map((l) => l.key)
    t.place(placed(1))
    expect(shown(t)).toEqual(['1 m1', 'null a', 'null b'])
    t.acknowledge('b', 2)
    t.place(placed(3, 'a', 'customer'))
    expect(shown(t)).toEqual(['1 m1', '2 b', '3 a'])
    expect([t.lines[2]?.key, t.lines[1]?.key]).toEqual(keys)
  })

  it('does not take another sender with the same id for the own message', () => {
    const t = new Timeline()
    t.pend(draft('a'), me)
    t.place(placed(1, 'a', 'custom_bot'))
    expect(shown(t)).toEqual(['1 a', 'null a'])
    t.acknowledge('a', 2)
    expect(shown(t)).toEqual(['1 a', '2 a'])
  })

  it('drops the pending line when the message came before its ack', () => {
    const t = new Timeline()
    t.place(placed(1, 'a', 'customer'))
    t.pend(draft('a'), me) // from the shelf, after a reload
    expect(shown(t)).toEqual(['1 a'])
  })

  it('says why a message was refused, until it is withdrawn', () => {
    const t = new Timeline()
    t.pend(draft('a'), me)
    t.refuse('a', 'too long')
    expect(t.lines[0]?.problem).toBe('too long')
    t.withdraw('a')
    expect(t.lines).toEqual([])
  })

  it('has ended once the hub placed an end', () => {
    const t = new Timeline()
    t.pend({ messageId: 'e', type: { value: 'conversation.end' } }, me)
    expect(t.ended).toBe(false)
    t.acknowledge('e', 4)
    expect(t.ended).toBe(true)
  })
})
