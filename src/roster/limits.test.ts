/** How much a roster holds: what its owner lists, and what others leave there (RFC 6120 §13.12). */
import { describe, expect, test } from 'vitest'
import { Account } from '../session/account.ts'
import { Jid } from '../xmpp/jid.ts'
import { presence } from '../xmpp/stanza.ts'
import { KEPT_CHANGES, Rosters, writeRoster } from './roster.ts'
import type { RosterItem } from './roster.ts'

const OWNER = Jid.parse('juliet@localhost')
const MAX_ITEMS = 2
const MAX_BYTES = 1000

function contact (number: number): Jid {
  return Jid.parse(`contact${number}@localhost`)
}

/** Rosters of accounts that are in memory only. */
function setUp (items = MAX_ITEMS, bytes = MAX_BYTES): { readonly rosters: Rosters, readonly account: Account } {
  const unused = (): Promise<never> => Promise.reject(new Error('an anonymous account keeps nothing'))
  const rosters = new Rosters({ load: unused, store: unused, remove: unused }, { items, bytes })
  const account = new Account(OWNER, true)
  account.setData(rosters.slot.key, { items: new Map(), version: 0 })
  return { rosters, account }
}

test('a full roster takes no more contacts, by set or by request, and lets those it has be changed', async () => {
  const { rosters, account } = setUp()
  for (let i = 0; i < MAX_ITEMS; i++) await rosters.set(account, contact(i), undefined, [])

  await expect(rosters.set(account, contact(2), undefined, [])).rejects.toThrow('your contact list is full')
  await expect(rosters.sent(account, contact(2), 'subscribe')).rejects.toThrow('your contact list is full')
  await rosters.set(account, contact(0), 'Romeo', [])
  await rosters.sent(account, contact(1), 'subscribe')

  expect([...rosters.of(account).items.keys()]).toEqual(['contact0@localhost', 'contact1@localhost'])
})

test('a roster takes no more than so many bytes of names and groups, and is there as it was', async () => {
  const { rosters, account } = setUp()
  await rosters.set(account, contact(0), 'Romeo', ['a'])

  await expect(rosters.set(account, contact(0), 'Romeo', ['x'.repeat(MAX_BYTES)])).rejects.toThrow(
    'your contact list is full',
  )
  await expect(rosters.set(account, contact(1), 'x'.repeat(MAX_BYTES), [])).rejects.toThrow('your contact list is full')

  expect([...rosters.of(account).items.values()]).toMatchObject([{ name: 'Romeo', groups: ['a'] }])
})

test('a small roster takes no more memory because somebody has asked for it', async () => {
  const { rosters, account } = setUp()
  await rosters.set(account, contact(0), 'Romeo', ['friends'])

  writeRoster(rosters.of(account))

  expect(rosters.of(account).listing).toBeUndefined()
})

test('a large roster is written once for all who ask, until it changes', async () => {
  const { rosters, account } = setUp(1, 100_000)
  await rosters.set(account, contact(0), 'Romeo & co', ['<friends>', 'x'.repeat(20_000)])
  const listing = writeRoster(rosters.of(account))
  expect(rosters.of(account).listing).toBe(listing)

  await rosters.set(account, contact(0), 'Montague', [])

  expect(listing).toContain("name='Romeo &amp; co'")
  expect(listing).toContain('<group>&lt;friends&gt;</group>')
  expect(writeRoster(rosters.of(account))).toContain("name='Montague' subscription='none'/>")
})

test('changes do not walk the whole roster, however many contacts it has', async () => {
  const { rosters, account } = setUp(10_000, 1_000_000)
  let walks = 0
  class Counted extends Map<string, RosterItem> {
    override values (): MapIterator<RosterItem> {
      walks++
      return super.values()
    }

    override [Symbol.iterator] (): MapIterator<[string, RosterItem]> {
      walks++
      return super[Symbol.iterator]()
    }
  }
  account.setData(rosters.slot.key, { items: new Counted(), version: 0 })
  for (let i = 0; i < 500; i++) await rosters.set(account, contact(i), undefined, [])

  for (let i = 0; i < 300; i++) {
    await rosters.sent(account, contact(i), 'subscribe')
    await rosters.set(account, contact(i), 'Romeo', [])
    await rosters.remove(account, contact(i))
    await asks(rosters, account, contact(1000 + i))
  }

  expect(walks).toBeLessThan(5)
  expect(rosters.of(account).items.size).toBeLessThan(500 + KEPT_CHANGES)
})

async function asks (rosters: Rosters, account: Account, from: Jid, id = 'ask'): Promise<void> {
  await rosters.received(account, presence('subscribe', { from, to: OWNER, id }), from, 'subscribe', () => {})
}

describe('requests that nobody answers', () => {
  test('do not pile up without end: those that have waited longest are forgotten', async () => {
    const { rosters, account } = setUp()

    for (let i = 0; i < 1010; i++) await asks(rosters, account, contact(i))

    expect(rosters.requests(account)).toHaveLength(1000)
    expect(rosters.item(account, contact(9))).toBeUndefined()
    expect(rosters.item(account, contact(10))?.state.pendingIn).toBe(true)
  })

  test('do not grow without end: the largest are forgotten, however many, and the others stay', async () => {
    const { rosters, account } = setUp()
    await asks(rosters, account, contact(0))

    for (let i = 1; i <= 100; i++) await asks(rosters, account, contact(i), 'x'.repeat(16_000))
    await asks(rosters, account, contact(101))

    const requests = rosters.requests(account)
    expect(requests.join('').length).toBeLessThan(1024 * 1024)
    expect(requests.length).toBeGreaterThan(60)
    expect(rosters.item(account, contact(0))?.state.pendingIn).toBe(true)
    expect(rosters.item(account, contact(101))?.state.pendingIn).toBe(true)
  })

  test('leave an item that the user has listed where it is', async () => {
    const { rosters, account } = setUp()
    await rosters.set(account, contact(0), 'Romeo', [])
    await asks(rosters, account, contact(0), 'x'.repeat(16_100))

    for (let i = 1; i <= 70; i++) await asks(rosters, account, contact(i), 'x'.repeat(16_000))

    expect(rosters.item(account, contact(0))).toMatchObject({
      name: 'Romeo',
      request: undefined,
      state: { pendingIn: false },
    })
  })
})
