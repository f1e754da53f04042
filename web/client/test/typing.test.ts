import { describe, expect, it } from 'vitest'
import { OthersTyping, OwnTyping } from '../src/typing'
import { FakeClock } from './fakes'

describe('own typing', () => {
  it('is told at the first key, now and then while it goes on, and once when it stops', async () => {
    const clock = new FakeClock()
    const told: [number, boolean][] = []
    const typing = new OwnTyping(clock, (on) => told.push([clock.now(), on]))
    for (let i = 0; i < 6; i++) {
      typing.pressed()
      await clock.pass(1000)
    }
    await clock.pass(60_000)
    expect(told).toEqual([[0, true], [4000, true], [10_000, false]])
  })

  it('stops when the message is sent', async () => {
    const clock = new FakeClock()
    const told: boolean[] = []
    const typing = new OwnTyping(clock, (on) => told.push(on))
    typing.pressed()
    typing.stopped()
    typing.stopped()
    await clock.pass(60_000)
    expect(told).toEqual([true, false])
  })
})

describe('typing of others', () => {
  it('ends by itself when nothing more is heard', async () => {
    const clock = new FakeClock()
    const shown: string[][] = []
    const typing = new OthersTyping(clock, (names) => shown.push([...names]))
    typing.told('Bot', true)
    await clock.pass(9000)
    typing.told('Bot', true)
    await clock.pass(9999)
    expect(shown).toEqual([['Bot'], ['Bot']])
    await clock.pass(1)
    expect(shown.at(-1)).toEqual([])
  })

  it('knows several, and forgets all when a message makes it stale', () => {
    const clock = new FakeClock()
    const shown: string[][] = []
    const typing = new OthersTyping(clock, (names) => shown.push([...names]))
    typing.told('Bot', true)
    typing.told('Dana', true)
    typing.told('Bot', false)
    typing.told('Nobody', false)
    typing.clear()
    typing.clear()
    expect(shown).toEqual([['Bot'], ['Bot', 'Dana'], ['Dana'], []])
    expect(clock.timers).toBe(0)
  })
})
