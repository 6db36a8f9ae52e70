/** How many questions a message to a large group costs. */
import { expect, test } from 'vitest'
import { Affiliations } from '../../src/muc/affiliations.ts'
import { Room } from '../../src/muc/room.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { Arrivals } from './arrivals.ts'
import { OnlineMembers } from './online-members.ts'

const MEMBERS = 10_000

function stage () {
  const jids = Array.from({ length: MEMBERS }, (_, n) => Jid.parse(`member${n}@localhost`))
  const affiliations = new Affiliations(jids.map(jid => ({ jid, affiliation: 'member' as const })))
  const room = new Room(Jid.parse('coven@conference.localhost'), { config: new Map(), affiliations })
  const arrivals = new Arrivals()
  const online = new Set<string>()
  let asked = 0
  const members = new OnlineMembers(room, {
    arrivals, isWanted: () => true,
    sessionsOf (account) {
      asked++
      return online.has(account.toString()) ? [{ jid: account.withResource('x'), flags: new Set<string>(), available: true, priority: 0 }] : []
    },
  })
  return {
    jids, room, members,
    comes (account: Jid) {
      online.add(account.toString())
      arrivals.add(account)
    },
    goes (account: Jid) {
      online.delete(account.toString())
      arrivals.touch()
    },
    /** Who is away, and how many questions it took to know. */
    look () {
      asked = 0
      return { away: members.away().map(({ jid }) => jid.local), asked }
    },
  }
}

test('all members are looked at once, then only those who come', () => {
  const { jids: [first, second], comes, goes, look } = stage()
  if (!first || !second) throw new Error('no members')
  comes(first)
  expect(look()).toEqual({ away: ['member0'], asked: MEMBERS + 1 })

  expect(look()).toEqual({ away: ['member0'], asked: 0 })

  comes(second)
  expect(look()).toEqual({ away: ['member0', 'member1'], asked: 2 })

  goes(first)
  expect(look()).toEqual({ away: ['member1'], asked: 2 })
  comes(Jid.parse('stranger@localhost'))
  expect(look()).toEqual({ away: ['member1'], asked: 1 })
})

test('so many who have come since the last message that they are not remembered are found all the same', () => {
  const { jids, comes, look } = stage()
  look()

  for (const jid of jids) comes(jid)

  expect(look().away).toHaveLength(MEMBERS)
})

test('who is made an outcast, or nobody, is not looked at any more', () => {
  const { jids: [first], room, comes, look } = stage()
  if (!first) throw new Error('no members')
  comes(first)
  look()

  room.affiliations.set({ jid: first, affiliation: 'outcast' })

  expect(look().away).toEqual([])
})
