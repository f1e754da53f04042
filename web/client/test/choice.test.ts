import { describe, expect, it } from 'vitest'
import { choiceDraft } from '../src/client'
import { decodeMessage } from '../src/wire'

const offer = (messageId?: string): ReturnType<typeof decodeMessage> =>
  decodeMessage({ id: 'hub-4', ...(messageId ? { messageId } : {}), type: { value: 'richMessage.quickreply' } })

describe('what a customer chose', () => {
  const choice = { id: 'last', title: 'Last order' }
  const selection = [{ id: 'last', title: 'Last order' }]

  it('is said by its value to a bot of the hub, and by its title to a program', () => {
    expect(choiceDraft(offer(), choice)).toMatchObject({ type: { value: 'text' }, content: { text: 'last', json: { selection } }, parent: { messageId: 'hub-4' } })
    expect(choiceDraft(offer('hub-4'), choice).content?.text).toBe('last') // as the hub names them
    expect(choiceDraft(offer('q1'), choice)).toMatchObject({ content: { text: 'Last order', json: { selection } }, parent: { messageId: 'q1' } })
  })

  it('has a text even without a value', () => {
    expect(choiceDraft(offer(), { id: '', title: 'Yes' }).content?.text).toBe('Yes')
  })
})
