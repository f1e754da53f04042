import { describe, expect, it } from 'vitest'
import { Client } from '../src/client'
import { FakeClock, FakeSocket, settled } from './fakes'

const nothing = (): undefined => undefined

async function opened(): Promise<{ client: Client; sockets: FakeSocket[] }> {
  const sockets: FakeSocket[] = []
  const client = new Client({
    url: 'ws://hub/ws/v1',
    token: () => Promise.resolve('token'),
    on: { state: nothing, message: nothing, typing: nothing, gap: nothing, sent: nothing, refused: nothing, lost: nothing },
  }, {
    clock: new FakeClock(),
    random: () => 0,
    socket: (_url, protocol, on) => {
      const socket = new FakeSocket(protocol, on)
      sockets.push(socket)
      return socket
    },
  })
  client.start()
  await settled()
  sockets[0]?.on.open()
  sockets[0]?.answers('connect', { role: 'customer' })
  await settled()
  return { client, sockets }
}

describe('follow', () => {
  it('does not resume what the hub refused to let it follow', async () => {
    const { client, sockets: [socket] } = await opened()
    const following = client.follow('c1', 0)
    socket?.says({ id: socket.asked('subscribe')[0]?.id, error: { code: '429-001', developerMessage: 'too many' } })
    await expect(following).rejects.toThrow('too many')
    expect(client.follows('c1')).toBe(false)
  })

  it('keeps what was followed before when asking again is refused', async () => {
    const { client, sockets: [socket] } = await opened()
    const first = client.follow('c1', 0)
    socket?.answers('subscribe', { conversation: 'c1', after: 0, seq: 0 })
    await first
    const again = client.follow('c1', 0)
    socket?.says({ id: socket.asked('subscribe')[1]?.id, error: { code: '429-001', developerMessage: 'too many' } })
    await expect(again).rejects.toThrow('too many')
    expect(client.follows('c1')).toBe(true)
  })
})
