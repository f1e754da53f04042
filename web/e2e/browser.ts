import { chromium, type Browser } from 'playwright-core'

/** The system's Chromium, without its own calls home, which a closed network would refuse one by one. */
export function launch(): Promise<Browser> {
  const executablePath = process.env.PARLEY_TEST_CHROMIUM
  if (!executablePath) throw new Error('set PARLEY_TEST_CHROMIUM, or run this by `make e2e`, which sets it')
  return chromium.launch({
    executablePath,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Chromium refuses its sandbox to root, which CI runs as. The pages here are our own.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  })
}
