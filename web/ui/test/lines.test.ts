// Messages are as bots/message.go makes them of answers, and wire/append.go sends them.
import { describe, expect, it } from 'vitest'
import { decodeMessage } from '../../client/src/wire'
import { look, type Look, type Side } from '../lines'

const seen = (type: string, rest: object, side: Side = 'customer', sender = 'custom_bot'): Look =>
  look({ message: decodeMessage({ id: 'm', type: { value: type }, sender: { type: sender }, ...rest }) }, side)

describe('a text', () => {
  it('is shown with its markup if that says more', () => {
    expect(seen('text', { content: { text: 'like AB123456', html: 'like <b>AB123456</b>' } })).toMatchObject({ text: 'like AB123456', html: 'like <b>AB123456</b>' })
  })

  it.each(['1 &lt; 2<br>3', 'a<br/>b', '1 < 2'])('is plain if its markup says no more: %s', (html) => {
    expect(seen('text', { content: { text: 'plain', html } })).toMatchObject({ text: 'plain', html: '' })
  })

  it('of a customer is never markup', () => {
    expect(seen('text', { content: { text: 'bold', html: '<b>bold</b>' } }, 'agent', 'customer')).toMatchObject({ text: 'bold', html: '' })
  })

  it('without anything is hidden', () => {
    expect(seen('text', { content: {} })).toEqual({ kind: 'hidden' })
  })
})

describe('a quick reply', () => {
  const items = [
    { id: 'track', title: 'Track', actions: [{ type: 'postback' }] },
    { id: 'd', title: 'Details', actions: [{ type: 'url', url: 'https://shop.example/1' }] },
    { id: 'c', title: 'Call', actions: [{ type: 'phone', number: '+49 30 1234567' }] },
    { id: 'x', title: 'Trap', actions: [{ type: 'url', url: 'javascript:alert(1)' }] },
    { id: 'n', title: '', actions: [{ type: 'postback' }] },
    'nonsense',
  ]

  it('has choices that say something, lead somewhere, or dial; others are left out', () => {
    expect(seen('richMessage.quickreply', { content: { text: 'What?', json: { title: 'What?', items } } })).toMatchObject({
      text: 'What?',
      choices: [
        { id: 'track', title: 'Track', link: null },
        { id: 'd', title: 'Details', link: 'https://shop.example/1' },
        { id: 'c', title: 'Call', link: 'tel:+49301234567' },
      ],
    })
  })

  it('keeps its text when it offers nothing that can be read', () => {
    expect(seen('richMessage.quickreply', { content: { text: 'What?', json: { items: 'none' } } })).toMatchObject({ text: 'What?', choices: [] })
  })
})

describe('a choice', () => {
  const selection = [{ id: 'last', title: 'Last order' }]
  const chose = { content: { text: 'Last order', json: { selection } } }

  it('reads as its title; agents see what it stands for, too', () => {
    expect(seen('text', chose, 'customer', 'customer')).toMatchObject({ text: 'Last order' })
    expect(seen('text', chose, 'agent', 'customer')).toMatchObject({ text: 'Last order (last)' })
    expect(seen('text', { content: { text: 'Yes', json: { selection: [{ id: 'Yes', title: 'Yes' }] } } }, 'agent', 'customer')).toMatchObject({ text: 'Yes' })
  })

  it('hides nothing from agents that a page says besides', () => {
    expect(seen('text', { content: { text: 'last', json: { selection } } }, 'customer', 'customer')).toMatchObject({ text: 'Last order' })
    expect(seen('text', { content: { text: 'Else', json: { selection } } }, 'agent', 'customer')).toMatchObject({ text: 'Last order (Else, last)' })
  })

  it('is nothing that a bot could say', () => {
    expect(seen('text', chose)).toMatchObject({ text: 'Last order' })
    expect(seen('text', { content: { text: 'Else', json: { selection } } })).toMatchObject({ text: 'Else' })
  })
})

describe('cards', () => {
  const shoes = { id: 'shoes', title: 'Shoes', subtitle: 'To walk', image: 'https://shop.example/shoes.jpg' }
  const drawn = { title: 'Shoes', subtitle: 'To walk', image: 'https://shop.example/shoes.jpg' }

  it('are the items of a bot of the hub, with their buttons', () => {
    const item = {
      ...shoes,
      actions: [
        { type: 'postback', id: 'shoes', title: 'These' },
        { type: 'url', id: 'd', title: 'Details', url: 'https://shop.example/1' },
        { type: 'url', id: 'x', title: 'Trap', url: 'javascript:alert(1)' },
      ],
    }
    const json = { type: 'list', version: '1', title: 'Our products', list: { sections: [{ title: 'Our products', items: [item] }] } }
    expect(seen('richMessage.listpicker', { content: { text: 'Shoes', json } })).toMatchObject({
      text: 'Our products',
      cards: [{ ...drawn, choices: [{ id: 'shoes', title: 'These', link: null }, { id: 'd', title: 'Details', link: 'https://shop.example/1' }] }],
    })
  })

  it('were items with whole choices in the record of earlier versions', () => {
    const item = { ...shoes, actions: [{ id: 'shoes', title: 'These', actions: [{ type: 'postback' }] }] }
    expect(seen('richMessage.listpicker', { content: { text: 'Shoes', json: { sections: [{ title: 'Our products', items: [item] }] } } })).toMatchObject({
      text: 'Our products', cards: [{ ...drawn, choices: [{ id: 'shoes', title: 'These', link: null }] }],
    })
  })

  it('are themselves what is chosen in the list of a program', () => {
    const json = { type: 'list', title: 'Size', list: { sections: [{ items: [{ id: 's', title: 'Small', actions: [{ type: 'postback' }] }] }] } }
    expect(seen('richMessage.listpicker', { content: { json } })).toMatchObject({
      text: 'Size', cards: [{ title: '', image: null, choices: [{ id: 's', title: 'Small', link: null }] }],
    })
  })

  it('have no picture from where none may come, and make place for the text if there are none', () => {
    const json = { sections: [{ items: [{ title: 'Shoes', image: 'http://elsewhere.example/1.png' }] }] }
    expect(seen('richMessage.listpicker', { content: { json } })).toMatchObject({ cards: [{ title: 'Shoes', image: null }] })
    expect(seen('richMessage.listpicker', { content: { text: 'Shoes', json: {} } })).toMatchObject({ text: 'Shoes', cards: [] })
  })
})

describe('media', () => {
  const attached = (url: string, name = 'A map', contentType?: string): object =>
    ({ content: { text: name || url }, attachments: { attachment: [{ url, name, ...(contentType ? { contentType } : {}) }] } })

  it.each([
    ['https://shop.example/map.PNG?v=1', undefined, 'image'],
    ['https://shop.example/shoes.mp4', undefined, 'video'],
    ['https://shop.example/hello.mp3', undefined, 'audio'],
    ['https://shop.example/receipt.pdf', undefined, 'document'],
    ['https://shop.example/files/7', undefined, 'document'],
    ['https://shop.example/files/7', 'image/webp', 'image'],
    ['https://shop.example/trap.png', 'text/html', 'document'],
  ])('%s of type %s is a(n) %s', (url, contentType, kind) => {
    expect(seen('text', attached(url, 'A map', contentType))).toMatchObject({ text: '', media: [{ kind, url, description: 'A map' }] })
  })

  it('has no address for a text, even without a description', () => {
    expect(seen('text', attached('https://shop.example/map.png', ''))).toMatchObject({ text: '', media: [{ description: '' }] })
  })

  it('is only named if it comes from where it must not', () => {
    expect(seen('text', attached('javascript:alert(1)'))).toMatchObject({ text: 'A map', media: [] })
  })

  it('stands beside the words of a person', () => {
    const message = { content: { text: 'Look' }, attachments: { attachment: [{ url: 'https://hub.example/1', name: 'x.png', contentType: 'image/png' }] } }
    expect(seen('text', message, 'agent', 'customer')).toMatchObject({ text: 'Look', media: [{ kind: 'image' }] })
  })
})
