import { describe, expect, it } from 'vitest'
import { choiceDraft } from '../src/client'
import { decodeMessage } from '../src/wire'

const offer = (messageId?: string): ReturnType<typeof decodeMessage> =>
  decodeMessage({ id: 'hub-4', ...(messageId ? { messageId } : {}), type: { value: 'richMessage.quickreply' } })

describe('what a customer chose', () => {
  const choice = { id: 'last', title: 'Last order' }
  const selection = [{ id: 'last', title: 'Last order' }]

  it('is said by its title, with what it stands for beside it', () => {
    expect(choiceDraft(offer(), choice)).toMatchObject({ type: { value: 'text' }, content: { text: 'Last order', json: { selection } }, parent: { messageId: 'hub-4' } })
    expect(choiceDraft(offer('q1'), choice)).toMatchObject({ content: { text: 'Last order', json: { selection } }, parent: { messageId: 'q1' } })
  })
})
