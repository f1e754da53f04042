// Accounts of the widget whose visitors talk to a bot that the hub runs.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from '../client/src/wire'
import type { Hub } from './hub'

/** Those that every hub has. */
const WEB_CHAT = '00000000-0000-7000-8000-000000000020'
const CONSOLE = '00000000-0000-7000-8000-000000000011'

/** Makes a bot, and an account where it answers and agents of the console follow. Returns the bot's id and the customer's page. */
export async function account(hub: Hub, name: string, connector: object): Promise<{ bot: string; page: string }> {
  const create = async (kind: string, body: object): Promise<string> =>
    text(await hub.rest(`/conversation/conversationmgr/v3/${kind}`, { name, ...body }), 'id')
  const bot = await hub.rest('/admin/v1/bots', { name, language: 'en-US', connector })
  const orchestration = await create('orchestrations', {
    applications: {
      botConfiguration: { bots: [{ id: bot.id, participant: { id: bot.participantId }, onEscalation: { agent: { id: CONSOLE } } }] },
      agentConfiguration: { agents: [{ id: CONSOLE }] },
    },
  })
  await create('accounts', {
    address: name,
    channel: { id: WEB_CHAT },
    options: [{ name: 'anonymous', value: 'true' }],
    chatConfigurations: { orchestration: { id: orchestration }, entryPoint: { id: '1' } },
  })
  return { bot: text(bot, 'id'), page: new URL(`/widget/v1/?account=${name}`, hub.customerPage).href }
}

/** An account whose bot follows a flow; returns the customer's page. */
export async function flowAccount(hub: Hub, name: string, source: string): Promise<string> {
  const { bot, page } = await account(hub, name, { kind: 'rules' })
  await hub.rest(`/admin/v1/bots/${bot}/flows`, { source })
  await hub.rest(`/admin/v1/bots/${bot}/flows/draft/publish`, {})
  return page
}

/** An endpoint of a language model that says what the test says, when the test says it. */
export interface Model {
  readonly url: string
  /** The next question, once it is asked. */
  asked(): Promise<{ says(text: string): void; ends(): void; breaksOff(): void }>
  stop(): Promise<void>
}

export async function startModel(): Promise<Model> {
  const waiting: ((response: ServerResponse) => void)[] = []
  const questions: ServerResponse[] = []
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.flushHeaders()
    const next = waiting.shift()
    if (next) next(response)
    else questions.push(response)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`,
    async asked() {
      const response = questions.shift() ?? (await new Promise<ServerResponse>((come) => waiting.push(come)))
      const chunk = (delta: object, finish: string | null): void => {
        response.write(`data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`)
      }
      return {
        says: (content) => { chunk({ content }, null) },
        ends() {
          chunk({}, 'stop')
          response.end('data: [DONE]\n\n')
        },
        breaksOff: () => { response.destroy() },
      }
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}
