import { describe, expect, it } from 'vitest'
import { GrowingAnswer } from '../src/partial'
import { FakeClock } from './fakes'

function rig(): { clock: FakeClock; growing: GrowingAnswer; shown: (string | null)[] } {
  const clock = new FakeClock()
  const shown: (string | null)[] = []
  return { clock, growing: new GrowingAnswer(clock, (text) => shown.push(text)), shown }
}

describe('an answer that grows', () => {
  it('is shown as far as it is, and gone when the message is there', () => {
    const { clock, growing, shown } = rig()
    growing.told({ question: 3, text: 'Your' })
    growing.told({ question: 3, text: 'Your parcel' })
    growing.replaced()
    expect(shown).toEqual(['Your', 'Your parcel', null])
    expect(clock.timers).toBe(0)
  })

  it('stays away when something of it comes after the message, or after somebody else took over', () => {
    const { growing, shown } = rig()
    growing.told({ question: 3, text: 'Your' })
    growing.replaced()
    growing.told({ question: 3, text: 'Your parcel' })
    expect(shown).toEqual(['Your', null])
    growing.told({ question: 5, text: 'The next' })
    growing.told({ question: 3, text: 'Your parcel' })
    expect(shown.slice(2)).toEqual(['The next'])
  })

  it('goes when the bot falls silent, and comes back with what it says next', async () => {
    const { clock, growing, shown } = rig()
    growing.told({ question: 3, text: 'Your' })
    await clock.pass(14_999)
    growing.told({ question: 3, text: 'Your parcel' })
    await clock.pass(14_999)
    expect(shown).toEqual(['Your', 'Your parcel'])
    await clock.pass(1)
    growing.told({ question: 3, text: 'Your parcel is' })
    expect(shown.slice(2)).toEqual([null, 'Your parcel is'])
  })

  it('goes with the connection, and comes back with it', () => {
    const { growing, shown } = rig()
    growing.lost()
    growing.told({ question: 3, text: 'Your' })
    growing.lost()
    growing.told({ question: 3, text: 'Your parcel' })
    expect(shown).toEqual(['Your', null, 'Your parcel'])
  })

  it('counts anew in another conversation', () => {
    const { growing, shown } = rig()
    growing.told({ question: 9, text: 'Your' })
    growing.replaced()
    growing.reset()
    growing.told({ question: 1, text: 'Welcome' })
    growing.told({ question: 1, text: '' })
    expect(shown).toEqual(['Your', null, 'Welcome'])
  })
})
