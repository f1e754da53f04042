// The least that a callback address has to be, in TypeScript on node:http alone: it checks who calls, drops what comes
// again, answers at once, and prints what was said. Node.js 22.18 and newer runs it as it is:
//
//   RECEIVER_SECRET=whsec_… node examples/receiver-node/receiver.ts 127.0.0.1:9091
//   go run ./cmd/parley check-receiver http://127.0.0.1:9091 --secret whsec_…
//
// RECEIVER_SECRET is the signing secret of the client application's role. `verify` is Standard Webhooks; the npm package
// `standardwebhooks` has it too.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

const MAX_BODY = 16 * 1024 * 1024 // bytes: a handed-over conversation comes as one body
const TOLERANCE = 5 * 60 // seconds that clocks may differ; an older request may be somebody's recording
// The hub repeats within days, so a program that acts for real keeps the ids in its database, in the transaction that also
// holds what the delivery changed; then a crash forgets both or neither.
const REMEMBERED = 10_000

const secret = process.env['RECEIVER_SECRET'] ?? ''
const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
if (key.length === 0) {
  console.error('receiver: set RECEIVER_SECRET to the signing secret of the role, whsec_…')
  process.exit(1)
}

/** Whether one of the signatures is ours, of these very bytes, and not too old. */
const verify = (headers: IncomingHttpHeaders, body: Buffer): boolean => {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures } = headers
  if (typeof id !== 'string' || typeof at !== 'string' || typeof signatures !== 'string') return false
  if (!/^\d+$/.test(at) || Math.abs(Date.now() / 1000 - Number(at)) > TOLERANCE) return false
  const want = createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest()
  return signatures.split(' ').some((signature) => {
    const [version, value = ''] = signature.split(',')
    const got = Buffer.from(value, 'base64')
    return version === 'v1' && got.length === want.length && timingSafeEqual(got, want)
  })
}

/** The body, or undefined if it is larger than anything that the hub sends. */
const read = async (request: IncomingMessage): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const seen = new Set<string>() // delivery ids, oldest first

/** Acts on a delivery, once; false if it came before. */
const take = (id: string, callback: unknown): boolean => {
  if (seen.has(id)) return false
  seen.add(id)
  for (const oldest of seen) {
    if (seen.size <= REMEMBERED) break
    seen.delete(oldest)
  }
  const { messages } = callback as { messages: { message: { conversation: { id: string }; type: { value: string }; content?: { text?: string } }[] } }
  for (const m of messages.message) {
    // JSON.stringify: a text from outside must not be able to paint on a terminal.
    console.log(`${m.conversation.id} ${m.type.value} ${JSON.stringify(m.content?.text ?? '')}`)
  }
  return true
}

const server = createServer((request, response) => {
  const answer = (status: number, headers: Record<string, string> = {}): void => {
    response.writeHead(status, headers).end()
  }
  read(request)
    .then((body) => {
      if (body === undefined) return answer(413)
      if (!verify(request.headers, body)) return answer(401)
      const first = take(request.headers['webhook-id'] as string, JSON.parse(body.toString('utf8')))
      // 200 also for a repeat: the hub did not hear the first answer. The header is for parley check-receiver.
      answer(200, first ? {} : { 'parley-repeat': 'dropped' })
    })
    .catch(() => answer(400))
})
const [host = '127.0.0.1', port = '9091'] = (process.argv[2] ?? '127.0.0.1:9091').split(':')
server.listen(Number(port), host, () => console.log(`listening: http://${host}:${(server.address() as AddressInfo).port}`))
