/** How much a roster holds: what its owner lists, and what others leave there (RFC 6120 §13.12). */
import { expect, test } from 'vitest'
import { Account } from '../session/account.ts'
import { Jid } from '../xmpp/jid.ts'
import { presence } from '../xmpp/stanza.ts'
import { Rosters } from './roster.ts'

const OWNER = Jid.parse('juliet@localhost')
const MAX_ITEMS = 2

function contact (number: number): Jid {
  return Jid.parse(`contact${number}@localhost`)
}

/** Rosters of accounts that are in memory only. */
function setUp (): { readonly rosters: Rosters, readonly account: Account } {
  const unused = (): Promise<never> => Promise.reject(new Error('an anonymous account keeps nothing'))
  const rosters = new Rosters({ load: unused, store: unused, remove: unused }, MAX_ITEMS)
  const account = new Account(OWNER, true)
  account.setData(rosters.slot.key, { items: new Map(), version: 0 })
  return { rosters, account }
}

test('a full roster takes no more contacts, by set or by request, and lets those it has be changed', async () => {
  const { rosters, account } = setUp()
  for (let i = 0; i < MAX_ITEMS; i++) await rosters.set(account, contact(i), undefined, [])

  await expect(rosters.set(account, contact(2), undefined, [])).rejects.toThrow('the roster is full')
  await expect(rosters.sent(account, contact(2), 'subscribe')).rejects.toThrow('the roster is full')
  await rosters.set(account, contact(0), 'Romeo', [])
  await rosters.sent(account, contact(1), 'subscribe')

  expect([...rosters.of(account).items.keys()]).toEqual(['contact0@localhost', 'contact1@localhost'])
})

test('requests that nobody answers don\'t pile up without end', async () => {
  const { rosters, account } = setUp()
  const delivered: string[] = []

  for (let i = 0; i < 10; i++) {
    const request = presence('subscribe', { from: contact(i), to: OWNER })
    await rosters.received(account, request, contact(i), 'subscribe', () => { delivered.push(contact(i).local) })
  }

  expect(rosters.requests(account)).toHaveLength(2 * MAX_ITEMS)
  expect(delivered).toHaveLength(2 * MAX_ITEMS)
})
