/** XEP-0352 on real streams, with the client at one node and its session at another. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresDatabase } from '../../src/storage/postgres.ts'
import { Nodes } from '../../test/support/cluster/loopback-cluster.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { ENABLE, PING, resume } from '../../test/support/wire/stream-management.ts'
import { ping } from '../ping/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { clientState } from './index.ts'

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

test('what was held comes to the client that resumes its session by another node', async () => {
  const nodes = new Nodes({ db, extensions: [clientState, streamManagement, ping] })
  const [edge, home] = [await nodes.start('edge'), await nodes.start('home')]
  await nodes.addAccount('tybalt@localhost')
  const laptop = await home.client('tybalt', 'laptop')
  const phone = await edge.client('tybalt', 'phone')
  phone.send(ENABLE)
  const id = /id='([^']*)'/.exec(await phone.expectHeard('/>'))?.[1] ?? ''
  phone.send("<inactive xmlns='urn:xmpp:csi:0'/>" + PING)
  await phone.expectHeard("id='ping'")
  laptop.send(`<presence to='tybalt@localhost/phone' id='p1'/><presence to='tybalt@localhost/phone' id='p2'/>${PING}`)
  await laptop.expectHeard("id='ping'")
  phone.destroy()

  const again = await home.connectTcp()
  const features = await again.logsIn('tybalt')
  again.send(resume(id, 1))
  await again.expectHeard('<resumed ')
  again.send(PING)
  const heard = await again.expectHeard("id='ping'")

  expect(features).toContain("<csi xmlns='urn:xmpp:csi:0'/>")
  expect([...heard.matchAll(/ id='(p\d)'/g)].map(match => match[1])).toEqual(['p2'])
})
