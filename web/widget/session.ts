import { NoToken } from '../client/src/client'
import { fields, optionalText, text } from '../client/src/wire'
import { local, recall, remember } from '../ui/storage'

/** What this browser remembers of a visitor on one account. */
interface Visit {
  readonly token: string
  readonly expires: string
  readonly conversation: string | null
}

/**
 * The visitor's session: a token from the hub, kept in this browser so that a reload continues the conversation.
 * Whoever can read the browser's storage can speak as this visitor until the token expires.
 */
export class VisitorSession {
  readonly #key: string
  #visit: Visit | null

  constructor(
    private readonly account: string,
    /** Another visitor from now on: what the one before had is not ours any more. */
    private readonly onStranger: () => void,
  ) {
    this.#key = `parley:${account}`
    this.#visit = this.#recall()
  }

  get conversation(): string | null {
    return this.#visit?.conversation ?? null
  }

  set conversation(conversation: string | null) {
    if (this.#visit) this.#keep({ ...this.#visit, conversation })
  }

  /** A token that should be taken: the one kept, a renewed one, or that of a new visitor. */
  async token(renew: boolean): Promise<string> {
    const visit = this.#visit
    if (visit && !renew && Date.parse(visit.expires) > Date.now()) return visit.token
    if (visit) {
      const renewed = await this.#ask({ renew: visit.token })
      if (renewed) return this.#keep({ ...renewed, conversation: visit.conversation })
      this.#keep(null)
      this.onStranger()
    }
    const fresh = await this.#ask({ account: { channel: { type: 'web_chat' }, address: this.account } })
    if (!fresh) throw new NoToken('this chat is not open to visitors')
    return this.#keep({ ...fresh, conversation: null })
  }

  /** Null when the hub refuses; throws when it cannot be asked for now. */
  async #ask(body: object): Promise<{ token: string; expires: string } | null> {
    const response = await fetch(new URL('sessions', document.baseURI), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'omit',
    })
    if (response.ok) {
      const answer = fields(await response.json(), 'session')
      return { token: text(answer, 'token'), expires: optionalText(answer, 'expires') }
    }
    if (response.status >= 500 || response.status === 408 || response.status === 429) {
      throw new Error(`no session for now: ${String(response.status)}`)
    }
    return null
  }

  #keep(visit: Visit): string
  #keep(visit: null): undefined
  #keep(visit: Visit | null): string | undefined {
    this.#visit = visit
    remember(local, this.#key, visit && JSON.stringify(visit))
    return visit?.token
  }

  #recall(): Visit | null {
    try {
      const kept = fields(JSON.parse(recall(local, this.#key) ?? 'null'), 'visit')
      return { token: text(kept, 'token'), expires: optionalText(kept, 'expires'), conversation: optionalText(kept, 'conversation') || null }
    } catch {
      return null // nothing kept, or from another version
    }
  }
}
