// The agent's page: the conversations that an agent may take, and one of them to write in.
import { browserClock, Client, Refused, textDraft, type State, type Summary } from '../client/src/client'
import { closeCodes } from '../client/src/codes'
import { OthersTyping } from '../client/src/typing'
import { Composer } from '../ui/composer'
import { byId, socketURL, words } from '../ui/dom'
import { showStatus } from '../ui/status'
import { local, recall, remember, tabShelf } from '../ui/storage'
import { Thread } from '../ui/thread'
import { Transcript } from '../ui/transcript'
import { ConversationList, nameOf } from './list'
import { AgentToken } from './token'

const OWN = 'custom_agent'
const NAME_KEY = 'parley:console:name'

const status = byId('status', HTMLElement)
const problem = byId('problem', HTMLElement)
const signin = byId('signin', HTMLFormElement)
const nameInput = byId('name', HTMLInputElement)
const section = byId('thread', HTMLElement)
const join = byId('join', HTMLButtonElement)
const end = byId('end', HTMLButtonElement)
const earlier = byId('earlier', HTMLButtonElement)
const typingLine = byId('typing', HTMLElement)
const presence = byId('presence', HTMLElement)

const token = new AgentToken()
const transcript = new Transcript(byId('log', HTMLElement), {
  side: 'agent',
  own: OWN,
  onRetry: (line) => { thread?.retry(line.message) },
})
const list = new ConversationList(byId('items', HTMLElement), byId('nothing', HTMLElement), choose)
const typing = new OthersTyping(browserClock, (names) => {
  typingLine.textContent = names.length === 0 ? '' : `${names.join(', ')} is typing…`
})
const client = new Client({
  url: socketURL('../ws/v1'),
  token: (renew) => token.get(renew),
  shelf: tabShelf('parley:unsent:console'),
  on: {
    state: connected,
    message(conversation, seq, message) {
      if (!list.arrived(conversation, seq) || message.type !== 'text') refresh() // new, or with another owner now
      if (conversation !== thread?.conversation) return
      typing.clear()
      thread.arrived(seq, message)
    },
    typing(conversation, name, on) {
      if (conversation === thread?.conversation) typing.told(name || 'The customer', on)
    },
    receipt(conversation, role, read) {
      if (conversation === thread?.conversation && role === 'customer') thread.receipt(read)
    },
    presence(conversation, active) {
      if (conversation === thread?.conversation) presence.textContent = active ? 'The customer is here' : 'The customer has left'
    },
    gap: () => { tell('Some earlier messages are no longer kept.') },
    sent(ack) {
      thread?.sent(ack)
      if (thread?.timeline.find(ack.messageId)?.message.type !== 'text') refresh()
    },
    refused: (draft, reason) => { thread?.refused(draft, reason) },
    lost(conversation) {
      if (conversation === thread?.conversation) tell('This conversation is no longer yours to see.')
    },
  },
})
const composer = new Composer(
  byId('composer', HTMLFormElement), byId('text', HTMLTextAreaElement), byId('send', HTMLButtonElement),
  {
    text: (text) => {
      tell('')
      thread?.send(textDraft(text))
    },
    typing: (on) => { if (thread?.conversation) client.typing(thread.conversation, on) },
  },
  browserClock,
)
let thread: Thread | null = null
let refreshing = false
let again = false

nameInput.value = recall(local, NAME_KEY) ?? 'Agent'
nameInput.addEventListener('change', () => { remember(local, NAME_KEY, nameInput.value) })
signin.addEventListener('submit', (event) => {
  event.preventDefault()
  token.set(byId('token', HTMLInputElement).value.trim())
  client.start()
})
join.addEventListener('click', () => {
  thread?.send({
    messageId: crypto.randomUUID(),
    type: { value: 'agent.join' },
    content: { json: { agentName: nameInput.value.trim() || 'Agent' } },
  })
  composer.focus()
})
end.addEventListener('click', () => { thread?.send({ messageId: crypto.randomUUID(), type: { value: 'conversation.end' } }) })
earlier.addEventListener('click', () => { thread?.loadEarlier().catch((err: unknown) => { tell(words(err)) }) })
document.addEventListener('visibilitychange', () => { thread?.markRead() })
window.addEventListener('online', () => { client.retryNow() })
client.start()

function connected(state: State): void {
  showStatus(status, state, () => {
    client.retryNow()
    client.start()
  })
  const signedOut = state.name === 'refused' && closeCodes[state.code]?.newToken === true
  signin.hidden = !signedOut
  byId('list', HTMLElement).hidden = byId('main', HTMLElement).hidden = signedOut
  if (state.name !== 'open') {
    typing.clear()
    return
  }
  refresh(true)
  if (thread && !thread.loaded) load(thread)
}

/** Reads the list anew. Asked again while it is being read, it is read once more afterwards. */
function refresh(away = false): void {
  if (refreshing) {
    again = true
    return
  }
  refreshing = true
  client.conversations().then(
    (summaries) => { list.update(summaries, away) },
    (err: unknown) => { if (client.connected) tell(words(err)) },
  ).finally(() => {
    refreshing = false
    if (again && client.connected) refresh()
    again = false
  })
}

function choose(summary: Summary): void {
  if (thread?.conversation === summary.conversation) return
  thread?.close()
  typing.clear()
  presence.textContent = ''
  tell('')
  list.current = summary.conversation
  const next = new Thread(summary.conversation, client, transcript, () => ({ type: OWN, name: nameInput.value }), show)
  thread = next
  byId('customer', HTMLElement).textContent = nameOf(summary)
  section.hidden = false
  byId('choose', HTMLElement).hidden = true
  next.show()
  load(next)
}

function load(which: Thread): void {
  which.load().catch((err: unknown) => {
    // Without a connection it is loaded when there is one again.
    if (err instanceof Refused || client.connected) tell(words(err))
  })
}

/** Brings everything around the transcript in step with it. */
function show(): void {
  if (!thread) return
  const { timeline, loaded, more } = thread
  const joined = timeline.lines.some((line) => line.message.type === 'agent.join' && line.problem === null)
  const over = timeline.ended
  join.hidden = joined || over
  join.disabled = !loaded
  end.hidden = !joined || over
  earlier.hidden = !more
  byId('ended', HTMLElement).hidden = !over
  byId('seen', HTMLElement).hidden = thread.lastOwn() === 0 || thread.theyRead < thread.lastOwn()
  composer.state = over || !joined ? 'hidden' : loaded ? 'ready' : 'blocked'
}

function tell(text: string): void {
  problem.textContent = text
  problem.hidden = text === ''
}
