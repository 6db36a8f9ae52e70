/** The end of a stream whose client is connected to another node. */
import { expect, test } from 'vitest'
import type { Bus } from '../../cluster/bus/bus.ts'
import type { EnterRequest } from '../../cluster/bus/protocol.ts'
import { openLog } from '../../log.ts'
import { WriteBarrier } from '../../net/write-barrier.ts'
import { message } from '../../xmpp/stanza.ts'
import { RemoteStream } from './remote-stream.ts'

test('its last words and its end go out behind the state that was written in the same turn', async () => {
  const log = await openLog({ level: 'silent' })
  const barrier = new WriteBarrier(log)
  const events: string[] = []
  const bus = { tell: (_node: string, kind: string) => { events.push(kind) } } as unknown as Bus
  const request = { stream: 's', transport: 'tcp' } as unknown as EnterRequest
  const stream = new RemoteStream(request, { bus, barrier, edge: 'edge', log, closed () {} })

  barrier.beforeClientWrites({
    flush () {
      events.push('state')
      return undefined
    },
  })
  stream.write(message('chat', {}))
  stream.close()

  await expect.poll(() => events).toEqual(['state', 'stream.write', 'stream.close'])
})
