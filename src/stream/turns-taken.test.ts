/** Who sends much at once takes turns with everybody else. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { extension } from '../extension/api.ts'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { Nodes } from '../../test/support/cluster/loopback-cluster.ts'

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

/** Makes each element hard work, and counts how many are dealt with in each turn of the event loop. */
function hardWork (turns: number[]): ReturnType<typeof extension> {
  let isCounting = false
  return extension({
    name: 'hard-work',
    xeps: [],
    setup (host) {
      host.on('read', 'arrived', () => {
        if (!isCounting) {
          turns.push(0)
          isCounting = true
          setImmediate(() => { isCounting = false })
        }
        turns.push((turns.pop() ?? 0) + 1)
        const until = performance.now() + 2
        while (performance.now() < until);
      })
    },
  })
}

test('what a client sends at once is dealt with in many turns when it is much work, and in its order', async () => {
  const turns: number[] = []
  const nodes = new Nodes({ db, extensions: [hardWork(turns)] })
  const server = await nodes.start('server')
  await nodes.addAccount('romeo@localhost')
  const romeo = await server.client('romeo', 'orchard')
  turns.length = 0

  romeo.send(
    Array.from({ length: 40 }, (_, id) => `<iq type='get' id='${id}' to='localhost'><x xmlns='x'/></iq>`).join(''),
  )
  const answers = await romeo.expectHeard("id='39'")

  expect([...answers.matchAll(/ id='(\d+)'/g)].map(([, id]) => Number(id))).toEqual([...Array(40).keys()])
  expect(Math.max(...turns)).toBeLessThan(10)
})

test('the same holds where each thing has to be waited for, though not for long', async () => {
  const turns: number[] = []
  const nodes = new Nodes({ db, extensions: [hardWork(turns)] })
  const server = await nodes.start('server')
  await nodes.addAccount('benvolio@localhost')
  const benvolio = await server.client('benvolio', 'orchard')
  turns.length = 0

  // What changes nothing of the roster is a promise that waits for nothing.
  benvolio.send(
    "<presence type='unsubscribed' to='juliet@localhost'/>".repeat(40) +
      "<iq type='get' id='last' to='localhost'><x xmlns='x'/></iq>",
  )
  await benvolio.expectHeard("id='last'")

  expect(turns.reduce((sum, count) => sum + count)).toBe(41)
  expect(Math.max(...turns)).toBeLessThan(10)
})

test('what many clients send is dealt with in many turns', async () => {
  const turns: number[] = []
  const nodes = new Nodes({ db, extensions: [hardWork(turns)] })
  const server = await nodes.start('server')
  await nodes.addAccount('mercutio@localhost')
  const clients = await Promise.all(
    Array.from({ length: 20 }, (_, number) => server.client('mercutio', `device${number}`)),
  )
  turns.length = 0

  for (const client of clients)
    client.send(
      Array.from({ length: 10 }, (_, id) => `<iq type='get' id='${id}' to='localhost'><x xmlns='x'/></iq>`).join(''),
    )
  await Promise.all(clients.map(client => client.expectHeard("id='9'")))

  expect(turns.reduce((sum, count) => sum + count)).toBe(200)
  expect(Math.max(...turns)).toBeLessThan(30) // the first of each, and what fits into the turn
})

test('what comes in many messages of a WebSocket is dealt with in many turns', async () => {
  const turns: number[] = []
  const nodes = new Nodes({ db, extensions: [hardWork(turns)] })
  const server = await nodes.start('server')
  await nodes.addAccount('tybalt@localhost')
  const tybalt = await server.connectWebSocket()
  await tybalt.authenticates('tybalt', "<bind xmlns='urn:xmpp:bind:0'/>")
  await tybalt.expectHeard('</stream:features>')
  turns.length = 0

  for (let id = 0; id < 40; id++) {
    tybalt.send(`<iq xmlns='jabber:client' type='get' id='${id}' to='localhost'><x xmlns='x'/></iq>`)
  }
  await tybalt.expectHeard("id='39'")

  expect(turns.reduce((sum, count) => sum + count)).toBe(40)
  expect(Math.max(...turns)).toBeLessThan(10)
})
