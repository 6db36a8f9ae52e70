/** Bookmarks of XEP-0402 and XEP-0048, each as the other. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { el } from '../../src/extension/api.ts'
import type { Element } from '../../src/extension/api.ts'
import { parseStored } from '../../src/xml/stored.ts'
import {
  changesBetween, isSame, NS, NS_LIST, readConference, readList, replacing, writeConference, writeList,
} from './convert.ts'
import type { Bookmark, BookmarkList } from './convert.ts'

const PLAY = 'theplay@conference.shakespeare.lit'

function list (...content: readonly string[]): BookmarkList {
  return readList(parseStored(`<storage xmlns='${NS_LIST}'>${content.join('')}</storage>`))
}

function listed (jid: string, content = ''): string {
  return `<conference jid='${jid}' name='Play' autojoin='true'>${content}</conference>`
}

function bookmark (content = ''): Bookmark {
  return readConference(parseStored(`<conference xmlns='${NS}' name='Play' autojoin='1'>${content}</conference>`))
}

test('an item is part of the list, with its address (XEP-0402 §5.3.1)', () => {
  const rooms = new Map([[PLAY, bookmark('<nick>JC</nick><password>secret</password>')]])

  const storage = writeList({ rooms, others: [] })

  expect(storage.toString()).toBe(`<storage xmlns='${NS_LIST}'><conference jid='${PLAY}' name='Play' autojoin='true'>` +
    '<nick>JC</nick><password>secret</password></conference></storage>')
})

test('a room of a list is an item, without its address (XEP-0402 §3.3)', () => {
  const { rooms } = list(listed(PLAY, '<nick>JC</nick>'))

  expect([...rooms].map(([jid, one]) => `${jid} ${writeConference(one)}`)).toEqual([
    `${PLAY} <conference xmlns='${NS}' name='Play' autojoin='true'><nick>JC</nick></conference>`,
  ])
})

test('an item with nothing in it is a room, too (XEP-0402 §2)', () => {
  const least = readConference(el('conference', NS))

  const storage = writeList({ rooms: new Map([[PLAY, least]]), others: [] })

  expect(storage.getChildElements().map(String)).toEqual([
    `<conference xmlns='${NS_LIST}' jid='${PLAY}' autojoin='false'/>`,
  ])
  expect(writeConference(least).toString()).toBe(`<conference xmlns='${NS}'/>`)
})

describe('of a list', () => {
  test('what is no room stays: pages, and rooms without an address', () => {
    const page = "<url name='Works' url='http://the-tech.mit.edu/Shakespeare/'/>"
    const nowhere = "<conference name='Nowhere'/>"
    const wrong = "<conference jid='@'/>"

    const read = list(page, listed(PLAY), nowhere, wrong, "<x xmlns='urn:x'/>")

    expect([...read.rooms.keys()]).toEqual([PLAY])
    const storage = writeList(read).toString()
    for (const kept of [page, nowhere, wrong, "<x xmlns='urn:x'/>"]) expect(storage).toContain(kept)
  })

  test('addresses are prepared, and say who one is in the room', () => {
    const { rooms } = list(listed('ThePlay@Conference.Shakespeare.lit/JC'), listed(PLAY))

    expect([...rooms].map(([jid, { nick }]) => [jid, nick])).toEqual([[PLAY, 'JC']])
  })

  test('more international addresses than a request may have are refused', () => {
    const many = Array.from({ length: 200 }, (_, n) => listed(`bücher${n}@conference.example`))

    expect(() => list(...many)).toThrow('too many international addresses')
  })
})

describe('what neither format defines', () => {
  const state = "<state xmlns='http://myclient.example/bookmark/state' minimized='true'/>"

  test('is in the extensions of an item, and in a room of the list', () => {
    const item = bookmark(`<extensions>${state}</extensions>`)

    const storage = writeList({ rooms: new Map([[PLAY, item]]), others: [] })
    const [again] = readList(storage).rooms.values()

    expect(storage.toString()).toContain(`autojoin='true'>${state}</conference>`)
    expect(again && writeConference(again).toString()).toContain(`<extensions>${state}</extensions>`)
  })

  test('is kept where a client has dropped it, and replaced where a client has changed it', () => {
    const before = bookmark(`<extensions>${state}<x xmlns='urn:x'/></extensions>`)
    const [dropped] = list(listed(PLAY, "<nick>JC</nick><x xmlns='urn:x' y='z'/>")).rooms.values()

    const merged = dropped && replacing(before, dropped)

    expect(merged?.nick).toBe('JC')
    expect(merged?.extensions.map(String)).toEqual([state, "<x xmlns='urn:x' y='z'/>"])
  })
})

test('of two lists, the rooms that were added, changed and removed', () => {
  const before = list(listed('a@x'), listed('b@x'), listed('c@x'))
  const after = list(listed('c@x', '<nick>C</nick>'), "<conference jid='a@x' autojoin='1' name='Play'/>", listed('d@x'))

  const { added, removed } = changesBetween(before, after)

  expect([...added.keys()]).toEqual(['c@x', 'd@x'])
  expect(removed).toEqual(['b@x'])
})

const text = fc.option(fc.string({ unit: fc.constantFrom('a', '<', '&', "'", 'ü', '☀', ' '), minLength: 1 }),
  { nil: undefined })
const extension = fc.constantFrom<Element>(el('x', 'urn:x', { y: '1' }), el('y', 'urn:x'), el('x', 'urn:y', {}, 'z'))
const any: fc.Arbitrary<Bookmark> = fc.record({
  name: text, nick: text, password: text, isJoined: fc.boolean(), extensions: fc.uniqueArray(extension),
})

test('a bookmark is the same after both ways', () => {
  fc.assert(fc.property(any, one => {
    const storage = writeList({ rooms: new Map([[PLAY, one]]), others: [] })
    const [listed] = readList(parseStored(storage.toString())).rooms.values()
    const item = readConference(parseStored(writeConference(one).toString()))

    expect(listed && isSame(listed, one)).toBe(true)
    expect(isSame(item, one)).toBe(true)
  }))
})
