/**
 * What others make large, for somebody who has done nothing but log in or come into a room: whoever reads as fast as he
 * can is told all of it, and stays.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { Peer } from './peer.ts'
import { startTarget } from './server.ts'
import type { Target } from './server.ts'

/** Together more than a client may leave unread; few, since each of them is told of all the others. */
const LARGE = 1_900_000
const SESSIONS = 10
const LONG = 250_000
const MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"

let target: Target
let innocents: Innocents
let carol: readonly Peer[]

beforeAll(async () => {
  target = await startTarget({
    'bytes-per-second': 0, 'stanza-bytes': 2_000_000, 'presence-bytes': 2_000_000, 'streams-per-address': 0,
  })
  innocents = await Innocents.logIn(target)
}, 60_000)

afterEach(async () => {
  for (const peer of carol) peer.destroy()
  expect(await innocents.talk()).toEqual(EVERYTHING)
})

afterAll(() => target.stop())

/** Sessions of one account. */
async function sessions (local: string, count: number): Promise<readonly Peer[]> {
  const peers = [await Peer.logIn(target, `${local}/0`)]
  while (peers.length < count) peers.push(await Peer.logIn(target, `${local}/${peers.length}`, false))
  return peers
}

/** Waits for so many large stanzas, and for the answer to a ping behind them. */
async function expectHeard (peer: Peer, name: string, count: number, length = LARGE): Promise<void> {
  for (let heard = 0; heard < count;) {
    const element = await peer.next()
    if (element.name !== name) continue
    if (element.children.some(({ text }) => text.length === length)) heard++
  }
  await peer.expectPong()
}

async function allow (asker: Peer, asked: Peer, local: string): Promise<void> {
  void asker.send(`<presence/><presence type='subscribe' to='${local}@localhost'/>`)
  await asker.expectPong()
  void asked.send(`<presence/><presence type='subscribed' to='alice@localhost'/>`)
  await asked.expectPong()
}

const LARGE_STATUS = `<priority>-1</priority><status>${'s'.repeat(LARGE)}</status>`

test('who logs in hears of all sessions of a contact, however much they say, and stays', async () => {
  carol = await sessions('carol', SESSIONS)
  const before = await Peer.logIn(target, 'alice/laptop')
  if (carol[0]) await allow(before, carol[0], 'carol')
  for (const peer of carol) {
    peer.ignore()
    void peer.send(`<presence>${LARGE_STATUS}</presence>`)
  }
  await expectHeard(before, 'presence', SESSIONS)
  before.destroy()

  const alice = await Peer.logIn(target, 'alice/phone', false)
  void alice.send('<presence/>')

  await expectHeard(alice, 'presence', SESSIONS)
  alice.destroy()
}, 120_000)

/** Somebody in a room, which is set up where it is the first. */
async function enters (peer: Peer, room: string, nick: string): Promise<void> {
  void peer.send(`<presence to='${room}/${nick}'>${MUC}</presence>`)
  while ((await peer.next()).name !== 'message') {} // the subject, or an invitation to set it up, comes last
}

async function setsUp (peer: Peer, room: string, fields: Readonly<Record<string, string>> = {}): Promise<void> {
  const all = { FORM_TYPE: 'http://jabber.org/protocol/muc#roomconfig', ...fields }
  void peer.send(`<iq type='set' id='owner' to='${room}'><query xmlns='http://jabber.org/protocol/muc#owner'>` +
    `<x xmlns='jabber:x:data' type='submit'>${Object.entries(all).map(([name, value]) =>
      `<field var='${name}'><value>${value}</value></field>`).join('')}</x></query></iq>`)
  await peer.expect('iq', 'result')
}

test('who comes into a room hears of all who are in, however much they say, and stays', async () => {
  const room = 'crowd@conference.localhost'
  carol = await sessions('dave', SESSIONS)
  const before = await Peer.logIn(target, 'bob/laptop')
  await enters(before, room, 'bob')
  await setsUp(before, room)
  for (const [index, peer] of carol.entries()) {
    await enters(peer, room, `dave${index}`)
    peer.ignore()
    void peer.send(`<presence to='${room}/dave${index}'>${LARGE_STATUS}</presence>`)
  }
  await expectHeard(before, 'presence', SESSIONS)

  const bob = await Peer.logIn(target, 'bob/phone', false)
  void bob.send(`<presence to='${room}/bob'>${MUC}</presence>`)

  await expectHeard(bob, 'presence', SESSIONS)
  bob.destroy()
  before.destroy()
}, 120_000)

test('who comes into a room is shown of its history what fits into a mebibyte, and stays', async () => {
  const room = 'talk@conference.localhost'
  carol = [await Peer.logIn(target, 'erin/laptop')]
  const [erin] = carol
  if (!erin) throw new Error('nobody is there')
  await enters(erin, room, 'erin')
  await setsUp(erin, room, { 'muc#maxhistoryfetch': '100' })
  erin.ignore()
  for (let count = 0; count < 80; count++) {
    await erin.send(`<message type='groupchat' to='${room}'><body>${'b'.repeat(LONG)}</body></message>`)
  }
  const watcher = await Peer.logIn(target, 'frank/laptop')
  await enters(watcher, room, 'watcher')

  const frank = await Peer.logIn(target, 'frank/phone', false)
  void frank.send(
    `<presence to='${room}/frank'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='100'/></x></presence>`,
  )

  await expectHeard(frank, 'message', 4, LONG)
  frank.destroy()
  watcher.destroy()
}, 120_000)
