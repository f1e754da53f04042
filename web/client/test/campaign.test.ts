import { describe, expect, it } from 'vitest'
import { campaignOf } from '../src/campaign'

describe('the campaign of a page', () => {
  it('is in the UTM parameters of its address', () => {
    expect(campaignOf('https://shop.example/?utm_source=news&utm_medium=mail&utm_campaign=spring&utm_content=top&utm_term=shoes&utm_id=7&x=1'))
      .toEqual({ id: '7', source: 'news', medium: 'mail', name: 'spring', content: 'top', term: 'shoes' })
  })

  it('is that of the first address that has one', () => {
    expect(campaignOf('https://chat.example/?account=demo', 'https://shop.example/?utm_source=b', 'https://x.example/?utm_source=c')).toEqual({ source: 'b' })
  })

  it('is none without parameters, and without an address', () => {
    expect(campaignOf('https://shop.example/?utm_source=', '', 'no address')).toBeNull()
  })

  it('holds no more than the hub takes', () => {
    const long = 'x'.repeat(1000)
    expect(campaignOf(`https://shop.example/?utm_source=${long}&utm_id=%00a%0Ab`)).toEqual({ source: 'x'.repeat(255), id: 'a b' })
  })
})
