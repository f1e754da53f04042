// The way of a message as two people see it, on the real hub: customer page, bot, hand-over, agent page.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import { launch } from './browser'
import { startHub, type Hub } from './hub'
import { log, said, transcript, visit, write } from './people'

let hub: Hub
let browser: Browser
const problems: string[] = []

beforeAll(async () => {
  ;[hub, browser] = await Promise.all([startHub(), launch()])
})

afterAll(async () => {
  await browser.close()
  await hub.stop()
})

/** What the demo's bot answers to what it does not know. */
const unknown = 'I did not understand that.'

const open = (address: string): Promise<Page> => visit(browser, address, problems)

/** The transcript once it is what is wanted; else what it was when waiting ended. */
async function becomes(page: Page, want: string[]): Promise<string[]> {
  const until = Date.now() + 15_000
  for (;;) {
    const got = await transcript(page)
    if (JSON.stringify(got) === JSON.stringify(want) || Date.now() > until) return got
    await page.waitForTimeout(50)
  }
}

test('a customer talks to the bot, is handed over, and an agent answers; reloads miss nothing', async () => {
  onTestFailed(() => { console.error(hub.output()) })
  const customer = await open(hub.customerPage)
  await write(customer, 'Where is my parcel?')
  await said(customer, 'What is the number of your parcel?').waitFor()

  const agent = await open(hub.agentPage)
  expect(new URL(agent.url()).hash, 'the token stays in the address bar').toBe('')

  // What is listed when the page opens is no news: the list must be there first.
  await agent.locator('#items[aria-busy=false]').waitFor({ state: 'attached' })
  await write(customer, 'agent')
  await log(customer).locator('.remark').filter({ hasText: 'connected to a person' }).waitFor()

  const conversations = agent.getByRole('navigation', { name: 'Conversations' })
  await conversations.locator('.unread').first().waitFor() // appeared while the page was open
  await conversations.getByRole('button').first().click()
  await said(agent, 'Where is my parcel?').first().waitFor() // an agent sees what was said before
  await agent.getByLabel('Your name').fill('Dana')
  await agent.getByRole('button', { name: 'Join' }).click()
  await log(customer).locator('.remark').filter({ hasText: 'Dana joined' }).waitFor()

  await write(agent, 'It is on its way.')
  await said(customer, 'It is on its way.').waitFor()
  await agent.getByText('Read by the customer').waitFor()
  await agent.getByText('The customer is here').waitFor()
  await write(customer, 'Thank you!')
  await said(agent, 'Thank you!').waitFor()

  const asCustomer = await transcript(customer)
  const asAgent = await transcript(agent)
  expect(asCustomer.slice(-2)).toEqual(['It is on its way.', 'Thank you!'])
  await customer.reload()
  expect(await becomes(customer, asCustomer)).toEqual(asCustomer)
  await customer.getByText('Read', { exact: true }).waitFor() // the agent's mark outlives the reload
  await agent.reload()
  await conversations.getByRole('button').first().click()
  expect(await becomes(agent, asAgent)).toEqual(asAgent)

  await agent.getByRole('button', { name: 'End conversation' }).click()
  await customer.getByText('This conversation is over.').waitFor()
  await customer.getByRole('button', { name: 'Start a new conversation' }).click()
  await customer.getByText('Write a message to start a conversation.').waitFor()
  await write(customer, 'One more thing')
  await said(customer, unknown).waitFor()
  expect(problems).toEqual([])
})

test('text from people is text, whatever it looks like', async () => {
  const customer = await open(hub.customerPage)
  const markup = '<img src=x onerror="document.title=\'owned\'"><b>bold</b>'
  await write(customer, markup)
  expect(await log(customer).locator('img, b').count()).toBe(0)
  expect(await customer.title()).toBe('Chat')
  expect(problems).toEqual([])
})

test('typing is seen by the other side', async () => {
  const customer = await open(hub.customerPage)
  await write(customer, 'agent')
  const agent = await open(hub.agentPage)
  await agent.getByRole('navigation', { name: 'Conversations' }).getByRole('button').first().click()
  await agent.getByRole('button', { name: 'Join' }).click()
  await log(customer).locator('.remark').filter({ hasText: 'joined' }).waitFor()
  await agent.getByRole('textbox', { name: 'Message' }).pressSequentially('I look')
  await customer.locator('#typing').filter({ hasText: 'typing' }).waitFor()
  await agent.getByRole('button', { name: 'Send' }).click()
  await said(customer, 'I look').waitFor()
  expect(await customer.locator('#typing').innerText()).toBe('')
})

test('what is written while the hub is down arrives once, after what was there', async () => {
  onTestFailed(() => { console.error(hub.output()) })
  const customer = await open(hub.customerPage)
  await write(customer, 'before')
  await said(customer, unknown).waitFor()
  const restarted = hub.crashAndRestart()
  await customer.getByRole('status').filter({ hasText: /Offline|Connecting/ }).waitFor()
  await write(customer, 'meanwhile')
  await restarted
  await said(customer, unknown).nth(1).waitFor({ timeout: 45_000 })
  const lines = await transcript(customer)
  expect(lines.map((line) => line.startsWith(unknown) ? unknown : line)).toEqual(['before', unknown, 'meanwhile', unknown])
  await customer.reload()
  expect(await becomes(customer, lines)).toEqual(lines)
})

test('the chat works inside a page of another origin', async () => {
  const example = await readFile(new URL('../../examples/embed.html', import.meta.url), 'utf8')
  const shop = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html; charset=utf-8')
    response.end(example.replace('http://127.0.0.1:8080', new URL(hub.customerPage).origin))
  })
  await new Promise<void>((listening) => shop.listen(0, '127.0.0.1', listening))
  try {
    const page = await (await browser.newContext()).newPage()
    page.setDefaultTimeout(15_000)
    await page.goto(`http://127.0.0.1:${String((shop.address() as AddressInfo).port)}/`)
    await page.getByText('Chat', { exact: true }).click()
    const chat = page.frameLocator('iframe')
    await chat.getByRole('textbox', { name: 'Message' }).fill('Hello from the shop')
    await chat.getByRole('button', { name: 'Send' }).click()
    await chat.locator('.bubble').nth(1).waitFor() // the bot's answer
  } finally {
    await new Promise((closed) => shop.close(closed))
  }
})
