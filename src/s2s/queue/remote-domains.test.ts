/** RFC 6120 §10.4: what is sent to another server arrives once that can be reached, or comes back. */
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/support/run/database.ts'
import { ScriptedLinks } from '../../../test/support/s2s/scripted-links.ts'
import type { Database } from '../../storage/database.ts'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { el } from '../../xml/element.ts'
import type { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { MessagePolicies } from '../../xmpp/message-policy.ts'
import { NS_MUC } from '../../xmpp/ns.ts'
import { iq, message, presence } from '../../xmpp/stanza.ts'
import type { Message, PresenceType, Stanza } from '../../xmpp/stanza.ts'
import { LinkError } from '../link.ts'
import type { Homes } from '../../session/homes.ts'
import { RemoteDomains } from './remote-domains.ts'
import type { RemoteDomainsParts } from './remote-domains.ts'
import { claimDomain } from './store.ts'

const ROMEO = Jid.parse('romeo@montague.example/orchard')
const JULIET = Jid.parse('juliet@capulet.example')
const UNIQUE = '5e2a1c74-0d3f-4d5c-8f3e-6c1f0a9be7d2'
const RETRY = { firstMs: 1, longestMs: 20 }

let db: PostgresDatabase
let links: ScriptedLinks
let started: RemoteDomains[]
/** What was answered with an error: kind, id, condition, and for whom. */
let refused: string[]

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())
beforeEach(() => {
  links = new ScriptedLinks()
  started = []
  refused = []
})
afterEach(async () => {
  await Promise.all(started.map(one => one.stop()))
  await db.query('delete from remote_message')
  await db.query('delete from remote_domain')
})

function server (over: Partial<RemoteDomainsParts> = {}): RemoteDomains {
  const tell = (stanza: Stanza, error: StanzaError, to = stanza.from): void => {
    refused.push(`${stanza.kind} ${stanza.id} ${error.condition} to ${to}`)
  }
  const domains = new RemoteDomains({
    router: { bounce: tell, giveBack: tell, isServed: domain => domain === 'montague.example' },
    db, messageDb: db, policies: new MessagePolicies(), links, log: pino({ level: 'silent' }), retry: RETRY,
    settings: { queue: 1000, giveUpHours: 1 }, isAllowed: () => true, ...over,
  })
  started.push(domains)
  domains.start()
  return domains
}

function says (id: string | undefined, text = 'art thou?', from = ROMEO, to = JULIET): Message {
  return message('chat', { from, to, id }, el('body', 'jabber:client', {}, text))
}

function shows (type: PresenceType, id?: string): Stanza {
  return presence(type, { from: ROMEO, to: JULIET, id })
}

function asks (id: string): Stanza {
  return iq('get', { from: ROMEO, to: JULIET, id }, el('ping', 'urn:xmpp:ping'))
}

async function waiting (): Promise<number> {
  const [row] = await db.query<{ readonly count: number }>('select count(*) as count from remote_message')
  return row?.count ?? 0
}

describe('a message to another server', () => {
  test('is on disk when its sender is told that it was taken', async () => {
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    const domains = server()

    await domains.receive(says('m1'))

    expect(await waiting()).toBe(1)
  })

  test('goes out in order with all others, and is kept until the other server has confirmed it', async () => {
    const domains = server()
    links.confirms = false

    await Promise.all(['m1', 'm2', 'm3'].map(id => domains.receive(says(id))))
    await expect.poll(() => links.ids).toEqual(['m1', 'm2', 'm3'])
    const unconfirmed = await waiting()
    links.confirms = true
    links.opened[0]?.confirmAll()

    expect(unconfirmed).toBe(3)
    await expect.poll(waiting).toBe(0)
  })

  test('is sent again in order on the next stream, where the last one broke before it was confirmed', async () => {
    const domains = server()
    links.confirms = false
    await Promise.all(['m1', 'm2'].map(id => domains.receive(says(id))))
    await expect.poll(() => links.ids).toEqual(['m1', 'm2'])

    links.confirms = true
    links.opened[0]?.loses()
    await domains.receive(says('m3'))

    await expect.poll(() => links.opened[1]?.sent.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3'])
    await expect.poll(waiting).toBe(0)
  })

  test('waits for a server that can\'t be reached, also while this one is restarted', async () => {
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    const before = server()
    await before.receive(says('m1'))
    await before.receive(says('m2'))
    await before.stop()
    links.failure = undefined

    server()

    await expect.poll(() => links.ids).toEqual(['m1', 'm2'])
    await expect.poll(waiting).toBe(0)
    expect(refused).toEqual([])
  })
})

test('a subscription is not lost, and comes before what was sent after it', async () => {
  const domains = server()

  await Promise.all([domains.receive(shows('subscribe', 's1')), domains.receive(asks('q1')), domains.receive(says('m1'))])

  await expect.poll(() => links.ids).toEqual(['s1', 'q1', 'm1'])
  await expect.poll(waiting).toBe(0)
})

test('of presence that waits only the newest goes out', async () => {
  links.failure = { kind: 'unreachable', message: 'nobody listens' }
  const domains = server()
  for (const id of ['p1', 'p2', 'p3']) await domains.receive(shows(id === 'p2' ? 'unavailable' : 'available', id))

  links.failure = undefined

  await expect.poll(() => links.ids).toEqual(['p3'])
})

test('a message to a domain that does not exist comes back', async () => {
  links.failure = { kind: 'not-found', message: 'there is no such domain' }
  const domains = server()

  await domains.receive(says('m1'))
  await domains.receive(shows('subscribe', 's1'))

  await expect.poll(waiting).toBe(0)
  expect(refused).toEqual([`message m1 remote-server-not-found to ${ROMEO}`])
})

test('a server that refuses three times gets nothing more', async () => {
  links.failure = { kind: 'refused', message: 'its certificate has expired' }
  const domains = server()

  await domains.receive(says('m1'))

  await expect.poll(waiting).toBe(0)
  expect(refused).toEqual([`message m1 remote-server-timeout to ${ROMEO}`])
  expect(links.attempts).toBe(3)
})

test('a message on which the other server ends its streams comes back alone', async () => {
  links.took = (stanza, link) => {
    if (stanza.id === 'm2') link.loses(new LinkError('refused', 'policy-violation'))
  }
  const domains = server()

  await Promise.all(['m1', 'm2', 'm3'].map(id => domains.receive(says(id))))

  await expect.poll(() => links.opened.at(-1)?.sent.map(({ id }) => id)).toEqual(['m3'])
  await expect.poll(waiting).toBe(0)
  expect(refused).toEqual([`message m2 policy-violation to ${ROMEO}`])
})

describe('a message that the other server confirms at once', () => {
  test('needs no row in the database', async () => {
    const written: string[] = []
    const messageDb: Database = {
      query: (text, values) => {
        written.push(text)
        return db.query(text, values)
      },
      transaction: work => db.transaction(work),
    }
    const domains = server({ messageDb })
    await domains.receive(says('m1')) // is written, since there is no link yet
    await expect.poll(() => written.map(text => text.includes('insert'))).toEqual([true, false])
    written.length = 0

    await Promise.all(['m2', 'm3', 'm4'].map(id => domains.receive(says(id))))

    expect(links.ids).toEqual(['m1', 'm2', 'm3', 'm4'])
    expect(written).toEqual([])
  })

  test('is not taken before it is confirmed, or on disk because the stream broke', async () => {
    const domains = server()
    await domains.receive(says('m1'))
    await expect.poll(waiting).toBe(0)
    links.confirms = false
    const taken: string[] = []
    const underWay = Promise.resolve(domains.receive(says('m2'))).then(async () => {
      taken.push(`m2, with ${await waiting()} row on disk`)
    })
    await expect.poll(() => links.ids).toEqual(['m1', 'm2'])

    const before = [...taken]
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    links.opened[0]?.loses()
    await underWay

    expect(before).toEqual([])
    expect(taken).toEqual(['m2, with 1 row on disk'])
  })

  test('goes out once more after a restart, where it was written and not confirmed', async () => {
    const domains = server()
    await domains.receive(says('m1'))
    await expect.poll(waiting).toBe(0)
    links.confirms = false
    await Promise.all(['m2', 'm3'].map(id => domains.receive(says(id))))
    await domains.stop()
    links.confirms = true

    server()

    await expect.poll(() => links.opened[1]?.sent.map(({ id }) => id)).toEqual(['m2', 'm3'])
    await expect.poll(waiting).toBe(0)
  })
})

describe('what a sender sends again', () => {
  test('goes out once, whether it waits or was confirmed lately', async () => {
    const domains = server()
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    await domains.receive(says(UNIQUE))
    await domains.receive(says(UNIQUE))

    links.failure = undefined
    await expect.poll(waiting).toBe(0)
    await domains.receive(says(UNIQUE))
    await domains.receive(says(UNIQUE, 'another text'))
    await expect.poll(waiting).toBe(0)

    expect(links.ids).toEqual([UNIQUE, UNIQUE])
    expect(links.opened[0]?.sent[1]?.payload('body', 'jabber:client')?.text()).toBe('another text')
  })

  test('goes out once, also where it waited while the server was restarted', async () => {
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    const before = server()
    await before.receive(says(UNIQUE))
    await before.stop()
    const after = server()
    await after.receive(says(UNIQUE))

    links.failure = undefined
    after.retry(JULIET.domain)

    await expect.poll(waiting).toBe(0)
    expect(links.ids).toEqual([UNIQUE])
  })

  test('goes out again where it was given back', async () => {
    links.failure = { kind: 'not-found', message: 'there is no such domain' }
    const domains = server()
    await domains.receive(says(UNIQUE))
    await expect.poll(waiting).toBe(0)

    links.failure = undefined
    await domains.receive(says(UNIQUE))

    await expect.poll(() => links.ids).toEqual([UNIQUE])
  })

  test('has one id on each stream, also where its client gave it none', async () => {
    const domains = server()
    links.confirms = false
    await domains.receive(says(undefined))
    await expect.poll(() => links.ids.length).toBe(1)

    links.confirms = true
    links.opened[0]?.loses()
    await expect.poll(() => links.ids.length).toBe(2)

    const [first, second] = links.ids
    expect(first).toMatch(/./)
    expect(second).toBe(first)
  })

  test('goes out again where its id is no longer than a counter, which another login may have begun anew', async () => {
    const domains = server()
    await domains.receive(says('aaab5', 'ok'))
    await expect.poll(waiting).toBe(0)

    await domains.receive(says('aaab5', 'ok'))

    await expect.poll(() => links.ids).toEqual(['aaab5', 'aaab5'])
  })
})

describe('a queue that is full', () => {
  test('takes nothing more from who filled it, and something from others', async () => {
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    const domains = server({ settings: { queue: 20, giveUpHours: 1 } })

    for (let n = 0; n < 20; n++) await domains.receive(says(`m${n}`))
    await domains.receive(says('from another', 'hear me', Jid.parse('benvolio@montague.example/street')))

    expect(refused[0]).toBe(`message m11 resource-constraint to ${ROMEO}`)
    expect(refused.join()).not.toContain('from another')
    expect(await waiting()).toBe(12)
  })

  test('holds in memory what there is room for, and sends all in order', async () => {
    links.failure = { kind: 'unreachable', message: 'nobody listens' }
    const domains = server({ settings: { queue: 10_000, giveUpHours: 1 } })
    const ids = Array.from({ length: 600 }, (_, n) => `m${n}`)
    await Promise.all(ids.map(id => domains.receive(says(id, 'x'.repeat(5000)))))
    await domains.receive(asks('q1'))

    links.failure = undefined
    domains.retry(JULIET.domain)

    await expect.poll(waiting).toBe(0)
    expect(links.ids).toEqual([...ids, 'q1'])
  })
})

test('a request that can\'t be sent in time is refused, and what nobody waits for is not', async () => {
  links.failure = { kind: 'unreachable', message: 'nobody listens' }
  const domains = server()
  await domains.receive(asks('q1'))
  await domains.receive(message('chat', { from: ROMEO, to: JULIET, id: 'c1' }))
  await domains.receive(presence('available', { from: ROMEO, to: JULIET, id: 'j1' }, el('x', NS_MUC)))

  domains.check(performance.now() + 31_000)

  expect(refused).toEqual([
    `iq q1 remote-server-timeout to ${ROMEO}`,
    `presence j1 remote-server-timeout to ${ROMEO}`,
  ])
})

test('a message that has waited too long comes back, also after a restart', async () => {
  links.failure = { kind: 'unreachable', message: 'nobody listens' }
  const before = server()
  await before.receive(says('m1'))
  await before.stop()
  await db.query('update remote_message set queued_at = queued_at - 3600000')

  server()

  await expect.poll(waiting).toBe(0)
  expect(refused).toEqual([`message m1 remote-server-timeout to ${ROMEO}`])
})

test('an administrator gives back what waits, and sees it until then', async () => {
  links.failure = { kind: 'unreachable', message: 'nobody listens' }
  const domains = server({ retry: { firstMs: 60_000, longestMs: 60_000 } })
  await domains.receive(says('m1'))
  await expect.poll(() => domains.status()).toMatchObject([{
    local: 'montague.example', remote: 'capulet.example', waiting: 1, lastError: 'nobody listens', tls: undefined,
  }])

  domains.drop(JULIET.domain)

  await expect.poll(waiting).toBe(0)
  expect(refused).toEqual([`message m1 remote-server-timeout to ${ROMEO}`])
})

test('nothing is sent to a domain that is not allowed, nor for one that is not served', async () => {
  const domains = server({ isAllowed: domain => domain !== 'capulet.example' })

  await domains.receive(says('m1'))
  await domains.receive(says('m2', 'hello', Jid.parse('tybalt@elsewhere.example'), Jid.parse('romeo@verona.example')))

  expect(refused).toEqual([`message m1 not-allowed to ${ROMEO}`])
  expect(await waiting()).toBe(0)
})

test('a domain that nobody needs leaves memory and database', async () => {
  const domains = server()
  links.confirms = true
  await domains.receive(says('m1'))
  await expect.poll(waiting).toBe(0)
  links.opened[0]?.loses()

  await expect.poll(async () => {
    domains.check(performance.now() + 301_000)
    return db.query('select domain from remote_domain')
  }).toEqual([])
  expect(domains.atHome()).toEqual([])
})

test('what a node took and could not write goes to the next owner of the domain before what came later', async () => {
  links.failure = { kind: 'unreachable', message: 'nobody listens' }
  const isOver = Promise.withResolvers<void>()
  let isSlow = false
  let owner: string | undefined
  const handedOver: (string | undefined)[] = []
  const homes: Partial<Homes> = {
    incarnation: 'a', place: () => 'a', elsewhere: () => undefined, forget () {}, release () {}, confirmLease () {}, whenRefusalHeard () {},
    claim: async () => ({ node: owner }),
    forward: async (_, { id }) => {
      handedOver.push(id)
      return true
    },
  }
  const domains = server({
    cluster: { homes: homes as Homes, nodes: () => ['a', 'b'] },
    messageDb: {
      query: async (text, values) => {
        if (isSlow) await isOver.promise
        return db.query(text, values)
      },
      transaction: work => db.transaction(work),
    },
  })
  await domains.receive(says('m1'))

  isSlow = true
  const second = domains.receive(says('m2'))
  await claimDomain(db, JULIET.domain, owner = 'b')
  await domains.reclaimed(`s2s:${JULIET.domain}`, false)
  const third = domains.receive(says('m3'))
  await expect.poll(() => domains.atHome()).toEqual([])
  isOver.resolve()
  await Promise.all([second, third])

  expect(handedOver).toEqual(['m2', 'm3'])
})
