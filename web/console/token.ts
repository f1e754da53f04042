import { NoToken } from '../client/src/client'
import { recall, remember, tab } from '../ui/storage'

const KEY = 'parley:console:token'

/**
 * The agent's token. It arrives in the fragment of the page's address, which no server sees, and leaves the address
 * bar at once, so that it is in no history and on no screenshot. It lives as long as the tab.
 */
export class AgentToken {
  #token: string | null

  constructor() {
    const fragment = new URLSearchParams(location.hash.slice(1)).get('token')
    if (fragment) {
      this.set(fragment)
      history.replaceState(null, '', location.pathname + location.search)
    }
    this.#token = fragment ?? recall(tab, KEY)
  }

  set(token: string): void {
    this.#token = token
    remember(tab, KEY, token)
  }

  /** Nobody renews an agent's token but the agent. */
  get(renew: boolean): Promise<string> {
    if (renew) {
      this.#token = null
      remember(tab, KEY, null)
    }
    return this.#token ? Promise.resolve(this.#token) : Promise.reject(new NoToken('sign in'))
  }
}
