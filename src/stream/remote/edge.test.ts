/** What an edge does for the clients of a node that is gone. */
import { expect, test } from 'vitest'
import type { Bus, NodeId } from '../../cluster/bus/bus.ts'
import { openLog } from '../../log.ts'
import { Jid } from '../../xmpp/jid.ts'
import { Edge } from './edge.ts'
import type { EdgeStream } from './edge.ts'

const log = await openLog({ level: 'silent' })

test('many clients of a node that is gone hear of it in many turns, and nothing of that node meanwhile', async () => {
  const handlers = new Map<string, (home: NodeId, header: object, body: Buffer) => void>()
  const broken: ((home: NodeId) => void)[] = []
  const bus = {
    hear (kind: string, handler: () => void) { handlers.set(kind, handler) },
    whenBroken (handler: () => void) { broken.push(handler) },
    tell () {},
  } as unknown as Bus
  const edge = new Edge({ bus, homes: { forget () {} } }, log)
  const heard: string[] = []
  const ids = Array.from({ length: 30 }, (_, index) => {
    const stream = {
      bufferedBytes: 0,
      relay () { heard.push('relayed') },
      close () {
        const until = performance.now() + 1
        while (performance.now() < until);
        heard.push('closed')
      },
    } as unknown as EdgeStream
    const link = edge.link(index % 3 === 2 ? 'other' : 'home', stream)
    link.bound(Jid.parse('juliet@localhost/balcony'))
    link.goOn()
    return link.id
  })
  let turns = 0
  const count = (): void => {
    turns++
    if (heard.length < 20) setImmediate(count)
  }
  count()

  for (const handler of broken) handler('home')
  const closedAtOnce = heard.length
  for (const id of ids) handlers.get('stream.write')?.('home', { stream: id }, Buffer.from('late'))

  await expect.poll(() => heard).toHaveLength(20)
  expect(heard).not.toContain('relayed')
  expect(closedAtOnce).toBeLessThan(20)
  expect(turns).toBeGreaterThanOrEqual(3)
})
