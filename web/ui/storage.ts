import type { Entry, Shelf } from '../client/src/client'
import { isFields } from '../client/src/wire'

/** Browsers refuse storage to some frames and in some private windows; then nothing outlives the page. */
export const remember = (storage: () => Storage, key: string, value: string | null): void => {
  try {
    if (value === null) storage().removeItem(key)
    else storage().setItem(key, value)
  } catch {
    // Nothing to do: the page works, a reload forgets.
  }
}

export const recall = (storage: () => Storage, key: string): string | null => {
  try {
    return storage().getItem(key)
  } catch {
    return null
  }
}

export const local = (): Storage => localStorage
/** Of this tab only: two tabs must not send each other's messages. */
export const tab = (): Storage => sessionStorage

/** Keeps unsent messages in this tab over a reload. What cannot be read is dropped: it may be from another version. */
export const tabShelf = (key: string): Shelf => ({
  load() {
    try {
      const kept: unknown = JSON.parse(recall(tab, key) ?? '[]')
      return Array.isArray(kept) ? kept.filter(isEntry) : []
    } catch {
      return []
    }
  },
  save(entries) {
    remember(tab, key, entries.length === 0 ? null : JSON.stringify(entries))
  },
})

const isEntry = (value: unknown): value is Entry =>
  isFields(value) &&
  (value.conversation === null || typeof value.conversation === 'string') &&
  isFields(value.draft) &&
  typeof value.draft.messageId === 'string' &&
  isFields(value.draft.type) &&
  typeof value.draft.type.value === 'string'
