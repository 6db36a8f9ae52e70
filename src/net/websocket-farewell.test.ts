/** The end of a WebSocket whose client does not take part in it. */
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { openLog } from '../log.ts'
import { listenHttp } from './http.ts'
import type { Transport } from './transport.ts'
import { WebSocketEndpoint } from './websocket.ts'
import { WriteBarrier } from './write-barrier.ts'

const MEBIBYTE = 1024 * 1024
const log = await openLog({ level: 'silent' })

async function connection (): Promise<{ readonly client: WebSocket, readonly transport: Transport }> {
  const accepted = Promise.withResolvers<Transport>()
  const endpoint = new WebSocketEndpoint({ barrier: new WriteBarrier(log), maxMessageBytes: 10_000 }, accepted.resolve)
  const http = await listenHttp(['127.0.0.1:0'], {
    key: 'listen.http', log, routes: {}, upgrades: { '/ws': endpoint.upgrade },
  })
  const client = new WebSocket(`ws://127.0.0.1:${http.addresses[0]?.port}/ws`, ['xmpp'])
  onTestFinished(() => {
    client.terminate()
    endpoint.close()
    http.close()
  })
  await once(client, 'open')
  return { client, transport: await accepted.promise }
}

test('a client that does not read what is left when the server closes is cut, however much it says', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => { vi.useRealTimers() })
  const { client, transport } = await connection()
  const end = new Promise(resolve => { transport.onClose = resolve })

  client.pause()
  for (let part = 0; part < 32; part++) transport.write(Buffer.alloc(MEBIBYTE, 'x'))
  transport.close()
  client.send('still here')
  vi.advanceTimersByTime(15_000)
  await end

  expect(transport.bufferedBytes).toBe(0)
})
