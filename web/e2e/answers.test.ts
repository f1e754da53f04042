// What bots that the hub runs answer, as a customer sees it, and an agent afterwards.
import { readFile } from 'node:fs/promises'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { account, flowAccount, startModel, type Model } from './bots'
import { launch } from './browser'
import { startHub, type Hub } from './hub'
import { log, said, transcript, visit, write } from './people'

let hub: Hub
let browser: Browser
let model: Model
const problems: string[] = []

beforeAll(async () => {
  ;[hub, browser, model] = await Promise.all([startHub(), launch(), startModel()])
})

beforeEach(() => { problems.length = 0 })

afterAll(async () => {
  await browser.close()
  await hub.stop()
  await model.stop()
})

const open = (address: string): Promise<Page> => visit(browser, address, problems)
const choices = (page: Page): Locator => log(page).getByRole('group', { name: 'Answers' })
const pixel = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64')

test('a customer answers a bot by its quick replies, and sees cards, links and a picture; an agent sees what was offered', async () => {
  onTestFailed(() => { console.error(hub.output()) })
  const customer = await open(await flowAccount(hub, 'shop', await readFile(new URL('../../examples/flows/demo.yaml', import.meta.url), 'utf8')))
  await customer.route('https://shop.example/**', (route) => route.fulfill({ contentType: 'image/png', body: pixel }))
  await write(customer, 'hello')
  await said(customer, 'What can I do for you?').waitFor()
  expect(await choices(customer).getByRole('button').allInnerTexts()).toEqual(['Track a parcel', 'Opening hours', 'Our products', 'Talk to a person'])

  await choices(customer).getByRole('button', { name: 'Track a parcel' }).press('Enter') // by keyboard alone
  await said(customer, 'What is the number of your parcel?').locator('b').filter({ hasText: 'AB123456' }).waitFor()
  expect(await transcript(customer)).toContain('Track a parcel')
  expect(await choices(customer).count(), 'quick replies outlive the next message').toBe(0)
  expect(await log(customer).evaluate((element) => element === document.activeElement), 'the keyboard lost its place').toBe(true)

  await write(customer, 'AB123456')
  const details = choices(customer).getByRole('link', { name: 'Details' })
  expect(await details.evaluate((a: HTMLAnchorElement) => [a.href, a.target, a.rel])).toEqual(['https://shop.example/parcels/AB123456', '_blank', 'noopener noreferrer'])
  expect(await choices(customer).getByRole('link', { name: 'Call the carrier' }).getAttribute('href')).toBe('tel:+49301234567')

  await write(customer, 'show me your products')
  const cards = log(customer).getByRole('list', { name: 'Our products' })
  await cards.waitFor()
  expect(await cards.getByRole('listitem').locator('strong').allInnerTexts()).toEqual(['Shoes', 'Jackets'])
  expect(await cards.getByRole('link', { name: 'Buy shoes' }).getAttribute('href')).toBe('https://shop.example/shoes')
  expect(await cards.getAttribute('tabindex')).toBe('0')
  await write(customer, 'where is your shop')
  const map = log(customer).getByRole('img', { name: 'A map: Main Street 1' })
  expect(await map.evaluate((img: HTMLImageElement) => [img.src, img.loading])).toEqual(['https://shop.example/map.png', 'lazy'])
  await details.waitFor() // links stay

  await write(customer, 'I want to talk to a person')
  await said(customer, 'One moment').waitFor()
  await customer.reload()
  await log(customer).getByRole('list', { name: 'Our products' }).waitFor()
  expect(await transcript(customer)).toContain('Track a parcel')

  const agent = await open('about:blank')
  await agent.route('https://shop.example/**', (route) => route.fulfill({ contentType: 'image/png', body: pixel }))
  await agent.goto(hub.agentPage)
  await agent.getByRole('navigation', { name: 'Conversations' }).getByRole('button').first().click()
  await said(agent, 'What can I do for you?').waitFor()
  expect(await choices(agent).first().innerText()).toMatch(/Track a parcel\s+Opening hours\s+Our products\s+Talk to a person/)
  await log(agent).getByRole('img', { name: 'A map: Main Street 1' }).waitFor()
  expect(await log(agent).locator('button, a').count(), 'an agent could choose for the customer').toBe(0)
  expect(problems).toEqual([])
})

// Markup as an author may write it, or somebody who got at the author's texts.
const markup: readonly (readonly [string, string])[] = [
  ['<b onclick="alert(1)" style="color:red">bold</b>', '<b>bold</b>'],
  ['<img src=x onerror="document.title=1">', ''],
  ['<script>document.title=1</script>', ''],
  ['<svg onload="document.title=1"><a href="javascript:alert(1)">x</a></svg>', ''],
  ['<a href="javascript:alert(1)">trap</a>', 'trap'],
  ['<a href="/admin">inside</a>', 'inside'],
  ['<a href="https://shop.example/" target="_top">shop</a>', '<a href="https://shop.example/" target="_blank" rel="noopener noreferrer">shop</a>'],
  ['<form action="https://evil.example"><button>Sign in</button></form>', 'Sign in'],
  ['<iframe srcdoc="<script>1</script>"></iframe>', ''],
  ['<ul><li>one</li></ul>', '<ul><li>one</li></ul>'],
  ['<h1>Title</h1>', '<p><strong>Title</strong></p>'],
  ['<custom-element>kept</custom-element>', 'kept'],
  ['1 &lt; 2', '1 &lt; 2'],
]

const flow = `
name: Answers
languages: [en]
fallback: offer
steps:
- id: offer
  answers:
  - text: Which order?
    quickReplies: [{name: Last order, value: 'last', step: last}]
  - {type: CAROUSEL, cards: [{title: Boots, buttons: [{name: These, value: boots-42, step: boots}]}]}
- {id: last, answers: [{text: Your last order.}]}
- id: boots
  answers:
  - {type: VIDEO, url: 'https://shop.example/boots.mp4', description: How boots are made}
  - {type: AUDIO, url: 'https://shop.example/steps.mp3', description: How boots sound}
  - {type: DOCUMENT, url: 'https://shop.example/boots.pdf', description: How to lace boots}
  - text: ${JSON.stringify(`<i>see:</i>${markup.map(([written]) => `<div>${written}</div>`).join('')}`)}
`

test('buttons say their value; media wait to be asked for; markup is harmless', async () => {
  onTestFailed(() => { console.error(hub.output()) })
  // Without the content security policy: what is drawn must be harmless by itself.
  const customer = await visit(browser, await flowAccount(hub, 'answers', flow), problems, { bypassCSP: true })
  const loaded: string[] = []
  customer.on('request', (request) => { if (request.url().includes('shop.example')) loaded.push(request.url()) })
  await write(customer, 'hello')
  const buttons = log(customer).getByRole('list', { name: 'Cards' }).getByRole('button', { name: 'These' })
  await buttons.waitFor()
  await choices(customer).getByRole('button', { name: 'Last order' }).click() // another message of the same turn followed it
  await said(customer, 'Your last order.').waitFor()
  expect(await transcript(customer)).toEqual(['hello', 'Which order?', 'Last order', 'Your last order.'])

  await buttons.click() // a button stays
  await said(customer, 'see:').waitFor()
  const players = await log(customer).locator('video, audio').evaluateAll((all) =>
    (all as HTMLMediaElement[]).map((p) => [p.localName, p.src, p.getAttribute('aria-label'), p.controls, p.autoplay, p.preload]))
  expect(players).toEqual([
    ['video', 'https://shop.example/boots.mp4', 'How boots are made', true, false, 'none'],
    ['audio', 'https://shop.example/steps.mp3', 'How boots sound', true, false, 'none'],
  ])
  expect(await log(customer).getByRole('link', { name: 'How to lace boots' }).getAttribute('href')).toBe('https://shop.example/boots.pdf')
  expect(await said(customer, 'see:').evaluate((bubble) => bubble.getHTML())).toBe(`<i>see:</i>${markup.map(([, kept]) => `<div>${kept}</div>`).join('')}`)
  expect(await customer.title()).toBe('Chat')
  expect(loaded).toEqual([])
  expect(problems).toEqual([])
})

test('what a language model says is seen as it grows, and told once', async () => {
  onTestFailed(() => { console.error(hub.output()) })
  const { page } = await account(hub, 'model', { kind: 'llm', url: model.url, model: { name: 'any' } })
  const customer = await open(page)
  const growing = log(customer).locator('.growing')
  await write(customer, 'Where is my parcel?')
  const first = await model.asked()
  first.says('Your parcel')
  await growing.filter({ hasText: 'Your parcel' }).waitFor()
  expect(await growing.getAttribute('aria-hidden'), 'screen readers hear every piece').toBe('true')
  first.says(' is <b>on its way</b>.')
  await growing.filter({ hasText: 'Your parcel is <b>on its way</b>.' }).waitFor()
  first.ends()
  await growing.waitFor({ state: 'detached' })
  expect(await transcript(customer)).toEqual(['Where is my parcel?', 'Your parcel is <b>on its way</b>.'])

  await write(customer, 'And then?')
  const second = await model.asked()
  second.says('It will')
  await growing.filter({ hasText: 'It will' }).waitFor()
  second.breaksOff() // the bot failed: people go on
  await growing.waitFor({ state: 'detached' })
  expect(await transcript(customer)).not.toContain('It will')
  expect(problems).toEqual([])
})
