/** XEP-0191: what a block list costs, however long it is and however many devices follow it. */
import { expect, test } from 'vitest'
import { areCopies, manyDevices } from '../../test/support/world/many-devices.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { blocking } from './index.ts'

const NS = 'urn:xmpp:blocking'

async function changes (client: Client, command: 'block' | 'unblock', jids: readonly string[]): Promise<void> {
  await client.asks('set', `<${command} xmlns='${NS}'>${jids.map(jid => `<item jid='${jid}'/>`).join('')}</${command}>`)
}

function many (count: number, domain = 'example.net'): readonly string[] {
  return Array.from({ length: count }, (_, number) => `mallory${number}@${domain}`)
}

test.each(['block', 'unblock'] as const)(
  "a push is written once for all of an account's sessions: %s",
  async command => {
    const server = await world(blocking)
    const juliet = await server.client('juliet@localhost/balcony')
    const devices = await manyDevices(server, 'juliet@localhost', 20)
    if (command === 'unblock') await changes(juliet, 'block', many(500))
    for (const { session } of devices) session.setFlag(NS, true)

    await changes(juliet, command, many(500))

    const pushes = devices.flatMap(({ written }) => written)
    expect(pushes).toHaveLength(20)
    expect(areCopies(pushes)).toBe(true)
  })

test('what changes nothing is not pushed', async () => {
  const server = await world(blocking)
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.asks('get', `<blocklist xmlns='${NS}'/>`)
  await changes(juliet, 'block', many(2))
  await juliet.received()

  await changes(juliet, 'block', many(2))
  await changes(juliet, 'unblock', many(1, 'example.com'))

  expect(await juliet.received()).toEqual([])
})

test('a command with too many addresses is refused, and so is one with too many that take long to be prepared', async () => {
  const server = await world(blocking)
  const juliet = await server.client('juliet@localhost/balcony')

  await changes(juliet, 'block', many(1000))
  await expect(changes(juliet, 'block', many(1001))).rejects.toThrow('policy-violation')
  await changes(juliet, 'unblock', Array.from({ length: 50 }, (_, number) => `u@bü${number}.example`))
  await expect(changes(juliet, 'unblock', Array.from({ length: 1000 }, (_, number) => `ü${number}.e`))).rejects.toThrow(
    'policy-violation',
  )
})

test('a list has a limit in bytes, too', async () => {
  const server = await world(blocking)
  const juliet = await server.client('juliet@localhost/balcony')
  const long = (round: number): readonly string[] =>
    many(80).map(jid => `${jid}/${round}${'r'.repeat(1000)}/${'s'.repeat(10)}`)

  for (let round = 0; round < 11; round++) await changes(juliet, 'block', long(round))

  await expect(changes(juliet, 'block', long(11))).rejects.toThrow('resource-constraint')
})
