/** XEP-0045 §7.2.14: how much of what was said somebody is shown who comes in. */
import { expect, test } from 'vitest'
import { el } from '../../xml/element.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import { message } from '../../xmpp/stanza.ts'
import { chooseHistory, History, readLimits } from './history.ts'
import type { HistoryLimits } from './history.ts'

const ROOM = Jid.parse('coven@conference.localhost')

function historyOf (count: number, most: number): History {
  const history = new History()
  for (let at = 1; at <= count; at++) {
    history.add(
      message('groupchat', { from: ROOM.withResource('x') }, el('body', NS_CLIENT, {}, String(at))),
      at * 1000,
      ROOM,
      most,
    )
  }
  return history
}

test('a history holds the last messages, with the times at which they were sent (XEP-0203)', () => {
  const { said } = historyOf(5, 3)

  expect(said.map(({ at }) => at)).toEqual([3000, 4000, 5000])
  expect(said[0]?.message.toXml()).toContain(
    `<delay xmlns='urn:xmpp:delay' from='${ROOM}' stamp='1970-01-01T00:00:03.000Z'/>`,
  )
})

test('a history holds no more than a mebibyte, whatever is said', () => {
  const history = new History()
  const large = el('body', NS_CLIENT, {}, 'b'.repeat(250_000))

  for (let at = 1; at <= 80; at++)
    history.add(message('groupchat', { from: ROOM.withResource('x') }, large), at * 1000, ROOM, 100)
  const shown = history.said.map(({ at }) => at / 1000)
  history.replace([...history.said, ...history.said])

  expect(shown).toEqual([77, 78, 79, 80])
  expect(history.said).toHaveLength(4)
})

const ONE = historyOf(1, 1).said[0]?.message.toXml().length ?? 0

test.each<[HistoryLimits, number[]]>([
  [{}, [1, 2, 3, 4]],
  [{ messages: 2 }, [3, 4]],
  [{ messages: 0 }, []],
  [{ characters: 0 }, []],
  [{ characters: 2 * ONE }, [3, 4]],
  [{ characters: 2 * ONE - 1 }, [4]],
  [{ since: 2000 }, [2, 3, 4]],
  [{ since: 2001, messages: 3 }, [3, 4]],
  [{ since: 1, messages: 3, characters: ONE }, [4]],
])('of four messages, %j chooses %j', (limits, expected) => {
  expect(chooseHistory(historyOf(4, 10).said, limits).map(({ at }) => at / 1000)).toEqual(expected)
})

test.each<[Record<string, string>, HistoryLimits]>([
  [{}, {}],
  [{ maxchars: '0', maxstanzas: '20' }, { characters: 0, messages: 20 }],
  [{ seconds: '10' }, { since: 90_000 }],
  [{ since: '1970-01-01T00:01:20Z' }, { since: 80_000 }],
  [{ since: '1970-01-01T00:01:20Z', seconds: '10' }, { since: 90_000 }],
  [{ seconds: 'x', since: 'y', maxchars: '-1', maxstanzas: '' }, {}],
])('%j asks for %j', (attributes, expected) => {
  expect(readLimits(el('history', undefined, attributes), 100_000)).toEqual({
    characters: undefined, messages: undefined, since: undefined, ...expected })
})
