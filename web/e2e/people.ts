// What people do and see on the pages.
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

/** A page of a person of their own: other cookies, other storage. What goes wrong inside it is added to `problems`. */
export async function visit(browser: Browser, address: string, problems: string[], options?: BrowserContextOptions): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage()
  page.setDefaultTimeout(15_000)
  page.on('pageerror', (err) => problems.push(`${address}: ${err.message}`))
  page.on('console', (m) => {
    // A dropped WebSocket is logged by the browser itself, and dropping it is part of the tests.
    if (m.type() === 'error' && !m.text().includes('WebSocket')) problems.push(`${address}: ${m.text()}`)
  })
  await page.goto(address)
  return page
}

export const log = (page: Page): Locator => page.getByRole('log', { name: 'Messages' })
/** A message as the page shows it. */
export const said = (page: Page, text: string | RegExp): Locator => log(page).locator('.bubble').filter({ hasText: text })

export async function write(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.getByRole('button', { name: 'Send' }).click()
  await said(page, text).first().waitFor()
}

/** Everything said and remarked, in the order of the page. */
export const transcript = (page: Page): Promise<string[]> => log(page).locator('.bubble, .remark').allInnerTexts()
