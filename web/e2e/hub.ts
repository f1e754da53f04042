// Starts the real hub with its demo, as a visitor would, and reads from its output where to click.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fields } from '../client/src/wire'

export interface Hub {
  readonly customerPage: string
  readonly agentPage: string
  /** Calls the hub's REST surfaces with every scope. Throws what the hub answered if that is no success. */
  rest(path: string, body: object): Promise<Record<string, unknown>>
  /** What the hub wrote, for the report of a failure. */
  readonly output: () => string
  /** Stops it without a farewell, as a crash would, and starts it again on the same data and port. */
  crashAndRestart(): Promise<void>
  stop(): Promise<void>
}

const START_MS = 100_000 // `go run` may have to compile first
const client = { id: 'e2e', secret: 'a-secret-for-tests-only' }
const root = fileURLToPath(new URL('../..', import.meta.url))

export async function startHub(): Promise<Hub> {
  const data = await mkdtemp(join(tmpdir(), 'parley-e2e-'))
  let output = ''
  let child: ChildProcess
  let pages: [string, string]

  const start = (listen: string): Promise<[string, string]> => {
    const binary = process.env.PARLEY_BINARY
    const args = ['serve', '--demo', '--listen', listen, '--data', data, '--bootstrap-client', `${client.id}:${client.secret}`]
    const [command, all] = binary ? [binary, args] : ['go', ['run', './cmd/parley', ...args]]
    child = spawn(command, all, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`the hub did not say where its pages are:\n${output}`)) }, START_MS)
      child.once('exit', (code) => { reject(new Error(`the hub ended with ${String(code)}:\n${output}`)) })
      child.once('error', reject)
      child.stderr?.on('data', (chunk: Buffer) => { output += chunk.toString() })
      child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        const customer = /^\s*customer page: (\S+)/m.exec(output)?.[1]
        const agent = /^\s*agent page: (\S+)/m.exec(output)?.[1]
        if (!customer || !agent) return
        clearTimeout(timer)
        resolve([customer, agent])
      })
    })
  }

  const ended = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const exit = new Promise((resolve) => child.once('exit', resolve))
    process.kill(-child.pid, signal) // the group: `go run` has the hub as its child, and the hub its Redis
    await exit
  }

  const call = async (path: string, headers: Record<string, string>, body: string | URLSearchParams): Promise<Record<string, unknown>> => {
    const response = await fetch(new URL(path, pages[0]), { method: 'POST', headers, body })
    const text = await response.text()
    if (!response.ok) throw new Error(`POST ${path}: ${String(response.status)} ${text}`)
    return text === '' ? {} : fields(JSON.parse(text), path)
  }

  pages = await start('127.0.0.1:0')
  return {
    get customerPage() { return pages[0] },
    get agentPage() { return pages[1] },
    async rest(path, body) {
      const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: client.id, client_secret: client.secret })
      const token = String((await call('/oauth2/token', {}, form)).access_token)
      return call(path, { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }, JSON.stringify(body))
    },
    output: () => output,
    async crashAndRestart() {
      await ended('SIGKILL')
      output = ''
      pages = await start(new URL(pages[0]).host)
    },
    async stop() {
      await ended('SIGTERM')
      await rm(data, { recursive: true, force: true })
    },
  }
}
