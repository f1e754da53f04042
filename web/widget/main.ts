// The customer's page: one conversation with a business, over reloads and drops.
import { campaignOf } from '../client/src/campaign'
import { browserClock, choiceDraft, Client, Refused, textDraft, type Draft, type QueuePlace, type State } from '../client/src/client'
import { GrowingAnswer } from '../client/src/partial'
import { OthersTyping } from '../client/src/typing'
import { Composer } from '../ui/composer'
import { byId, socketURL, words } from '../ui/dom'
import { showStatus } from '../ui/status'
import { tabShelf } from '../ui/storage'
import { Thread } from '../ui/thread'
import { Transcript } from '../ui/transcript'
import { VisitorSession } from './session'

const OWN = 'customer'

const account = new URLSearchParams(location.search).get('account') ?? 'demo'
// Given to this page by the one that embeds it, or, where the browser tells it, in the address of that one.
const campaign = campaignOf(location.href, document.referrer)
const status = byId('status', HTMLElement)
const problem = byId('problem', HTMLElement)
const empty = byId('empty', HTMLElement)
const ended = byId('ended', HTMLElement)
const earlier = byId('earlier', HTMLButtonElement)
const endButton = byId('end', HTMLButtonElement)
const typingLine = byId('typing', HTMLElement)
const log = byId('log', HTMLElement)
const queue = byId('queue', HTMLElement)
const seen = byId('seen', HTMLElement)

const session = new VisitorSession(account, () => { replaceThread(null) })
const transcript = new Transcript(log, {
  side: 'customer',
  own: OWN,
  onChoice: (line, choice) => { send(choiceDraft(line.message, choice)) },
  onRetry: (line) => { thread.retry(line.message) },
})
const growing = new GrowingAnswer(browserClock, (text) => { transcript.grow(text, thread.bot) })
const typing = new OthersTyping(browserClock, (names) => {
  typingLine.textContent = names.length === 0 ? '' : `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} typing…`
})
const client = new Client({
  url: socketURL('../../ws/v1'),
  token: (renew) => session.token(renew),
  shelf: tabShelf(`parley:unsent:${account}`),
  on: {
    state: (state) => { connected(state) },
    message(conversation, seq, message) {
      if (conversation !== thread.conversation) return
      typing.clear()
      if (message.sender.type !== OWN) growing.replaced()
      thread.arrived(seq, message)
    },
    partial(conversation, answer) {
      if (conversation !== thread.conversation) return
      typing.clear()
      growing.told(answer)
    },
    typing(conversation, name, on) {
      if (conversation === thread.conversation) typing.told(name || 'Someone', on)
    },
    receipt(conversation, role, read) {
      if (conversation === thread.conversation && role !== OWN) thread.receipt(read)
    },
    queue(conversation, place) {
      if (conversation === thread.conversation) showQueue(place)
    },
    gap: () => { tell('Some earlier messages are no longer kept.') },
    sent: (ack) => { thread.sent(ack) },
    refused: (draft, reason) => { thread.refused(draft, reason) },
    lost(conversation) {
      if (conversation === thread.conversation) startAnew()
    },
  },
})
const composer = new Composer(
  byId('composer', HTMLFormElement), byId('text', HTMLTextAreaElement), byId('send', HTMLButtonElement),
  {
    text: (text) => { send(textDraft(text)) },
    typing: (on) => { if (thread.conversation !== null) client.typing(thread.conversation, on) },
  },
  browserClock,
)
let thread = newThread(session.conversation)
let loading = false

endButton.addEventListener('click', () => { send({ messageId: crypto.randomUUID(), type: { value: 'conversation.end' } }) })
byId('anew', HTMLButtonElement).addEventListener('click', startAnew)
earlier.addEventListener('click', () => { thread.loadEarlier().catch((err: unknown) => { tell(words(err)) }) })
document.addEventListener('visibilitychange', () => { thread.markRead() })
window.addEventListener('online', () => { client.retryNow() })
client.start()

function newThread(conversation: string | null): Thread {
  return new Thread(conversation, client, transcript, () => ({ type: OWN, name: '' }), show)
}

function replaceThread(conversation: string | null): void {
  thread.close()
  growing.reset()
  thread = newThread(conversation)
  thread.show()
}

function connected(state: State): void {
  showStatus(status, state, () => {
    client.retryNow()
    client.start()
  })
  if (state.name !== 'open') {
    typing.clear() // whoever typed may have stopped since
    growing.lost()
  }
  if (state.name !== 'open' || thread.loaded || loading) return
  // Another device of the same visitor may have gone on: then the newest open conversation is the one to show.
  // Not so while the first message of a new one is on its way.
  if (!client.unsent.some((e) => e.conversation === null)) {
    thread.conversation ??= state.conversations.find((c) => c.status !== 'ended')?.conversation ?? null
  }
  loading = true
  thread.load().catch((err: unknown) => {
    if (err instanceof Refused) startAnew() // it is gone, or was someone else's
    else if (client.connected) tell(words(err))
  }).finally(() => { loading = false })
}

function startAnew(): void {
  tell('')
  typing.clear()
  session.conversation = null
  queue.hidden = true
  replaceThread(null)
  thread.loaded = true
  thread.show()
  composer.focus()
}

function send(draft: Draft): void {
  tell('')
  thread.send(thread.conversation === null && campaign ? { ...draft, conversation: { campaign } } : draft)
}

/** Says where the visitor stands among those who wait. */
function showQueue({ position, estimate }: QueuePlace): void {
  const minutes = Math.ceil(estimate / 60)
  const wait = minutes === 0 ? '' : ` It may take about ${minutes === 1 ? 'a minute' : `${String(minutes)} minutes`}.`
  queue.textContent = position === 1 ? `You are next.${wait}` : `You are number ${String(position)} in the queue.${wait}`
  queue.hidden = position === 0
}

/** Brings everything around the transcript in step with it. */
function show(): void {
  if (thread.conversation !== null) session.conversation = thread.conversation
  const over = thread.timeline.ended
  empty.hidden = thread.timeline.lines.length > 0
  log.hidden = !empty.hidden
  earlier.hidden = !thread.more
  ended.hidden = !over
  endButton.hidden = over || thread.conversation === null
  if (over) {
    queue.hidden = true
    growing.replaced()
  }
  seen.hidden = thread.lastOwn() === 0 || thread.theyRead < thread.lastOwn()
  composer.state = over ? 'hidden' : thread.loaded ? 'ready' : 'blocked'
}

function tell(text: string): void {
  problem.textContent = text
  problem.hidden = text === ''
}
