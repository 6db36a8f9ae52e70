/** `kill -9` of the server and of the database that it brings along: what was there is there afterwards. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Peer } from '../hostile/peer.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { Installation, OPEN } from './installation.ts'
import { until } from './until.ts'

const NOTE = "<query xmlns='jabber:iq:private'><note xmlns='urn:example:note'>later</note></query>"
const ROSTER = "<query xmlns='jabber:iq:roster'/>"

let home: Installation

beforeAll(async () => { home = await Installation.make(OPEN) })
afterEach(() => home.end())
afterAll(() => home.remove())

test('a server that was killed leaves its database running, and the next has every account and contact', async () => {
  const server = await home.start()
  const romeo = await Peer.logIn(home.direct, 'romeo/orchard')
  const juliet = await Peer.logIn(home.direct, 'juliet/balcony')
  await set(romeo, "<query xmlns='jabber:iq:roster'><item jid='juliet@localhost' name='Juliet'/></query>")
  server.kill('SIGKILL')
  await server.ended()
  await Promise.all([romeo.expectClosed(), juliet.expectClosed()])
  const orphans = home.databaseProcesses()

  await home.start()

  expect(orphans).not.toEqual([])
  expect(orphans.filter(pid => home.databaseProcesses().includes(pid))).toEqual([])
  const again = await Peer.logIn(home.direct, 'romeo/orchard', false)
  expect(await contacts(again)).toEqual(['juliet@localhost Juliet'])
  await Peer.logIn(home.direct, 'juliet/balcony', false)
}, 60_000)

test('commands while no server runs find what a killed one has left, and leave no database running', async () => {
  const server = await home.start()
  await Peer.logIn(home.direct, 'paris/tomb')
  server.kill('SIGKILL')
  await server.ended()

  const { code, out } = await home.run('user list')

  expect(code).toBe(0)
  expect(out).toContain('paris@localhost\n')
  expect(home.databaseProcesses()).toEqual([])
}, 60_000)

test('when the database is killed it comes back: clients stay, and what they ask for is answered', async () => {
  const server = await home.start()
  const mercutio = await Peer.logIn(home.direct, 'mercutio/street')
  const benvolio = await Peer.logIn(home.direct, 'benvolio/street')
  await set(mercutio, "<query xmlns='jabber:iq:roster'><item jid='benvolio@localhost' name='Benvolio'/></query>")

  const underWay = ask(mercutio, 'set', NOTE)
  for (const pid of home.databaseProcesses()) process.kill(pid, 'SIGKILL')
  const answers = [await underWay, await ask(mercutio, 'set', NOTE)]
  await server.logged('database.exited')

  for (const answer of answers) expect(['result', 'wait internal-server-error']).toContain(outcomeOf(answer))
  await set(mercutio, NOTE)
  void benvolio.send("<message to='mercutio@localhost/street' type='chat'><body>still here</body></message>")
  expect((await mercutio.expect('message')).children[0]?.text).toBe('still here')
  expect(await contacts(mercutio)).toEqual(['benvolio@localhost Benvolio'])
  await Peer.logIn(home.direct, 'tybalt/street')
  server.kill('SIGTERM')
  expect(await server.ended()).toBe(0)
  expect(home.databaseProcesses()).toEqual([])
}, 60_000)

let asked = 0

/** The answer to a request, whatever comes before it. */
async function ask (peer: Peer, type: 'get' | 'set', payload: string): Promise<XmlElement> {
  const id = `ask-${++asked}`
  void peer.send(`<iq type='${type}' id='${id}'>${payload}</iq>`)
  return until(() => peer.next(), ({ attributes }) => attributes.get('id') === id)
}

async function set (peer: Peer, payload: string): Promise<void> {
  expect((await ask(peer, 'set', payload)).attributes.get('type')).toBe('result')
}

async function contacts (peer: Peer): Promise<readonly string[]> {
  const [query] = (await ask(peer, 'get', ROSTER)).children
  return query?.children.map(({ attributes }) => `${attributes.get('jid')} ${attributes.get('name')}`) ?? []
}

function outcomeOf ({ attributes, children }: XmlElement): string {
  const error = children.find(({ name }) => name === 'error')
  return error ? `${error.attributes.get('type')} ${error.children[0]?.name}` : String(attributes.get('type'))
}
