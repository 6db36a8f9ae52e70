/** That nothing is delivered before it is kept, and what senders hear when it can't be. */
import { expect, test } from 'vitest'
import { extension } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'
import { changes, COVEN, enters, hears, inside, leaves, owner, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { blocking } from '../blocking/index.ts'
import { membersAway } from '../members-away/index.ts'
import { archive } from './index.ts'

/** Sees what is written to sessions, as it is. */
function watcher () {
  const written: string[] = []
  const watch = extension({
    name: 'watch',
    xeps: [],
    setup (host) {
      host.on('write', 'track', (stanza, session) => { written.push(`${session.jid.resource}: ${stanza.toXml()}`) })
    },
  })
  return {
    watch,
    written: () =>
      written.map(line =>
        `${line.split(' ')[0]} ${/<body>(.*?)</.exec(line)?.[1] ?? /error type='\w+'/.exec(line)?.[0]}`
      ),
  }
}

/** Keeps others from writing to archives until `release` is called. */
async function lock (db: Database): Promise<{ release (): Promise<void>, waiting (): Promise<number> }> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const done = db.transaction(async tx => {
    await tx.query('lock table archive_message in exclusive mode')
    locked.resolve()
    await promise
  })
  await locked.promise
  return {
    async release () {
      resolve()
      await done
    },
    async waiting () {
      return (await db.query("select 1 from pg_locks where relation = 'archive_message'::regclass and not granted"))
        .length
    },
  }
}

const message = (to: string, body: string) =>
  `<message to='${to}' type='chat' id='m'><body>${body}</body><origin-id xmlns='urn:xmpp:sid:0' id='${body}'/></message>`

async function archiveOf (client: Client): Promise<readonly string[]> {
  await client.received()
  await client.asks('set', "<query xmlns='urn:xmpp:mam:2'/>")
  return (await client.received()).map(xml => /<body>(.*?)</.exec(xml)?.[1] ?? '')
}

test('no message is delivered before it is kept, nor what comes after it, not even to oneself', async () => {
  const { watch, written } = watcher()
  const server = await world(archive, watch)
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  const { release, waiting } = await lock(server.db)

  const sent = [
    romeo.sends(message('juliet@localhost/balcony', 'hist')),
    romeo.sends(
      "<message to='juliet@localhost/balcony' type='chat'><body>no trace</body><no-store xmlns='urn:xmpp:hints'/></message>",
    ),
    romeo.sends(message('romeo@localhost/orchard', 'buy poison')),
  ]
  await expect.poll(waiting).toBeGreaterThan(0)
  const before = written()
  await release()
  await Promise.all(sent)

  expect(before).toEqual([])
  expect(written()).toEqual(['balcony: hist', 'balcony: no trace', 'orchard: buy poison'])
  expect(await archiveOf(juliet)).toEqual(['hist'])
  expect(await archiveOf(romeo)).toEqual(['hist', 'buy poison'])
})

test('who can\'t be served is told to wait, and what is sent again comes once', async () => {
  const { watch, written } = watcher()
  const server = await world([archive, archive.config?.parse({ patience: 1 })], watch)
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  const { release } = await lock(server.db)
  const hist = message('juliet@localhost/balcony', 'hist')

  await expect(romeo.sends(hist)).rejects.toMatchObject({ condition: 'internal-server-error', type: 'wait' })
  expect(written()).toEqual([])
  await release()
  await expect.poll(async () => romeo.sends(hist).then(() => 'sent', () => 'refused')).toBe('sent')

  await expect.poll(written).toEqual(['balcony: hist'])
  expect(await archiveOf(juliet)).toEqual(['hist'])
  expect(await archiveOf(romeo)).toEqual(['hist'])
})

test('what was said in a group, and turns out to be kept, reaches all, also who is not in or comes later', async () => {
  const server = await world([archive, archive.config?.parse({ patience: 1 })], blocking, membersAway)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1', membersonly: '1' })
  const hag = await server.client('hag66@localhost/pda')
  await hag.sends('<presence/>')
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
  await enters(hag, 'thirdwitch') // to be a member was not her own wish before
  await leaves(hag, 'thirdwitch')
  await Promise.all([crone.received(), hag.received()])
  const { release } = await lock(server.db)

  await says(crone, 'hail')
  await release()
  const heard: string[] = []
  await expect.poll(async () => {
    await says(crone, 'hail?') // what has its number is found to be there
    heard.push(...await hears(crone))
    return heard
  }).toContain('firstwitch: hail')

  expect(heard[0]).toBe('error internal-server-error')
  expect((await hears(hag))[0]).toBe('firstwitch: hail')
  await enters(hag, 'thirdwitch')
  expect(await hears(hag)).toContain('firstwitch: hail (before)')
})

test('what a killed owner of a group committed behind its successor\'s back reaches all', async () => {
  const server = await world([archive, archive.config?.parse({ patience: 1 })])
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const hag = await inside(server, 'hag66@localhost/pda', 'thirdwitch')
  await says(hag, 'hail')
  await Promise.all([crone.received(), hag.received()])
  await server.db.query(`
    insert into archive_message (owner, seq, peer, is_sent, sent_at, fingerprint, stanza)
    select owner, seq + n, peer, is_sent, sent_at, fingerprint || n, replace(stanza, 'hail', body)
    from archive_message, (values (1, 'one'), (2, 'two')) as late (n, body) where owner = $1`, [COVEN])

  const three = `<message to='${COVEN}' type='groupchat'><body>three</body><origin-id xmlns='urn:xmpp:sid:0' id='3'/></message>`
  await expect.poll(async () => {
    await crone.sends(three)
    return hears(crone)
  }).toContain('firstwitch: three')

  const heard = (await hears(hag)).filter(line => line.includes('witch: '))
  expect(heard).toEqual(['thirdwitch: one', 'thirdwitch: two', 'firstwitch: three'])
})

test('an account that leaves memory meanwhile, and comes back, is numbered on', async () => {
  const server = await world(archive)
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  juliet.leaves()
  const { release, waiting } = await lock(server.db)

  const first = romeo.sends(message('juliet@localhost', 'one'))
  await expect.poll(waiting).toBeGreaterThan(0)
  await server.core.accounts.forget(juliet.session.jid)
  const second = romeo.sends(message('juliet@localhost', 'two'))
  await release()
  await Promise.all([first, second])

  expect(await archiveOf(await server.client('juliet@localhost/balcony'))).toEqual(['one', 'two'])
})

test('an account that is removed meanwhile leaves nothing behind', async () => {
  const server = await world(archive)
  const romeo = await server.client('romeo@localhost/orchard')
  const { jid } = (await server.client('juliet@localhost/balcony')).session
  const { release, waiting } = await lock(server.db)

  const sent = romeo.sends(message('juliet@localhost', 'one'))
  await expect.poll(waiting).toBeGreaterThan(0)
  const removed = server.core.commands.remove(jid)
  await release()
  await Promise.all([sent, removed])

  expect(await server.db.query("select seq from archive_message where owner = 'juliet@localhost'")).toEqual([])
})
