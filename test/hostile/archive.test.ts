/** Who asks an archive for what is dear to find, from many sessions, holds up nobody else. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { Peer } from './peer.ts'
import { startTarget } from './server.ts'
import type { Target } from './server.ts'

const NS = 'urn:xmpp:mam:2'
const MESSAGES = 3000
const SESSIONS = 6
const QUERIES = 10

let target: Target
let innocents: Innocents

beforeAll(async () => {
  target = await startTarget({ 'bytes-per-second': 0 })
  innocents = await Innocents.logIn(target)
}, 60_000)
afterAll(() => target.stop())

const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`

const query = (id: number): string =>
  `<iq type='set' id='${id}'><query xmlns='${NS}'><x xmlns='jabber:x:data' type='submit'>${field('FORM_TYPE', NS)}` +
  `${field('with', 'mallory@localhost/nosuchresource')}</x></query></iq>`

test('others log in and talk while many queries of one account are under way', async () => {
  const mallory = await Peer.logIn(target, 'mallory/first')
  const body = 'x'.repeat(2000)
  for (let n = 0; n < MESSAGES; n++)
    void mallory.send(`<message to='mallory@localhost' type='chat'><body>${n} ${body}</body></message>`)
  await mallory.expectPong()
  const sessions = await Promise.all(
    Array.from({ length: SESSIONS }, (_, n) => Peer.logIn(target, `mallory/${n}`, false)),
  )
  let answered = 0
  const count = async (session: Peer): Promise<void> => {
    for (let n = 0; n < QUERIES; n++) {
      await session.expect('iq', 'result')
      answered++
    }
  }
  for (const session of sessions) {
    void session.send(Array.from({ length: QUERIES }, (_, id) => query(id)).join(''))
    count(session).catch(() => {}) // we do not wait for all of them
  }

  const romeo = await Peer.logIn({ port: target.port, from: '127.0.0.1' }, 'romeo/tomb', false)
  expect(await innocents.talk()).toEqual(EVERYTHING)

  expect(answered).toBeLessThan(SESSIONS * QUERIES / 2)
  for (const peer of [romeo, mallory, ...sessions]) peer.destroy()
}, 120_000)
