/** A room whose home was taken for dead and is not: it has one home afterwards, its occupants, and one history. */
import { expect, test } from 'vitest'
import { MEMBERS } from '../../cluster/membership/heartbeat.ts'
import type { Node } from '../../../test/support/cluster/redis-cluster.ts'
import { expectHeard, PATIENCE, threeNodes, witches } from '../../../test/support/cluster/room-nodes.ts'
import type { Cluster } from '../../../test/support/cluster/room-nodes.ts'
import { enters, says } from '../../../test/support/world/rooms.ts'
import { Jid } from '../../xmpp/jid.ts'

const PING = "<ping xmlns='urn:xmpp:ping'/>"

/** The others take it for dead at once; it finds out by its next beat. */
async function isTakenForDead ({ cluster: { membership, redis } }: Node): Promise<void> {
  await redis.commands.zrem(MEMBERS, membership.id)
}

async function joinsAnew (node: Node, before: string): Promise<void> {
  await expect.poll(() => node.cluster.membership.id, PATIENCE).not.toBe(before)
  await node.cluster.homes.confirmLease()
}

function homesOf ({ a, b, c, room }: Cluster & { readonly room: string }): readonly Node[] {
  return [a, b, c].filter(({ core }) => core.rooms.atHome().includes(room))
}

/** What the room's archive holds. */
async function archived ({ a, room }: Cluster & { readonly room: string }): Promise<readonly string[]> {
  const rows = await a.db.query<{ readonly stanza: string }>(
    'select stanza from archive_message where owner = $1 order by seq',
    [room],
  )
  return rows.flatMap(({ stanza }) =>
    /from='[^/]*\/([^']*)'.*<body>(.*)<\/body>/.exec(stanza)?.slice(1).join(': ') ?? []
  )
}

test('the room has one home, which may be the one it had, under its new name; and another when that has died', async () => {
  const cluster = await threeNodes()
  const { c, room } = cluster
  const [first, second] = await witches(cluster)
  const before = c.cluster.membership.id

  await isTakenForDead(c)
  await joinsAnew(c, before)
  await says(first, 'still here', room)

  for (const client of [first, second]) {
    expect((await expectHeard(client, 'firstwitch: still here')).filter(line => line.includes(': '))).toEqual([
      'firstwitch: still here',
    ])
  }
  const [home, ...others] = homesOf(cluster)
  expect([home?.core.rooms.atHome(), others]).toEqual([[room], []])
  if (home === c) c.dies()
  await expect(second.asks('get', PING, `${room}/secondwitch`)).resolves.toBeUndefined()
  await says(second, 'and now', room)
  expect((await expectHeard(first, 'secondwitch: and now')).filter(line => line.includes(': '))).toEqual([
    'secondwitch: and now',
  ])
})

test('of two homes one remains; what both let in is in one history, and comes once', async () => {
  const cluster = await threeNodes()
  const { b, c, room } = cluster
  const [first, second] = await witches(cluster)
  const third = await c.client('hag66@localhost/pda')
  await enters(third, 'thirdwitch', '', room)
  await expectHeard(third, `subject "" by ${room}`)
  await expectHeard(first, 'thirdwitch none/participant hag66@localhost/pda')
  await expectHeard(second, 'thirdwitch none/participant')
  const before = c.cluster.membership.id

  await isTakenForDead(c)
  await b.core.rooms.takeOver(Jid.parse(room))
  await Promise.allSettled([
    says(third, 'at the old', room),
    says(second, 'at the new', room),
    says(first, 'at either', room),
  ])
  await joinsAnew(c, before)

  await expect.poll(() => homesOf(cluster), PATIENCE).toEqual([b])
  // Who loses a number to the other home tells senders to try again.
  const last =
    `<message to='${room}' type='groupchat'><body>last</body><origin-id xmlns='urn:xmpp:sid:0' id='last'/></message>`
  await expect.poll(async () => {
    await second.sends(last)
    return archived(cluster)
  }, PATIENCE).toContain('secondwitch: last')
  const history = await archived(cluster)
  expect(history).toEqual([...new Set(history)])
  for (const client of [first, second]) {
    expect((await expectHeard(client, 'secondwitch: last')).filter(line => line.includes(': '))).toEqual(history)
  }
  for (const [client, nick] of [[first, 'firstwitch'], [second, 'secondwitch']] as const) {
    await expect(client.asks('get', PING, `${room}/${nick}`)).resolves.toBeUndefined()
  }
})
