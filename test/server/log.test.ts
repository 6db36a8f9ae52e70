/** The log at its most talkative: a line of JSON for each event, and never what a user wrote or logs in with. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { auth, Peer } from '../hostile/peer.ts'
import { Client } from '../../conformance/runner/client.ts'
import { register } from '../../conformance/runner/register.ts'
import { Installation, OPEN, type Line } from './installation.ts'

const TEXTS = ['string', 'string', 'string']

/** What must not be seen: a word that nobody else says. */
function secret (): string {
  return randomBytes(12).toString('hex')
}

test('no password and nothing that users wrote is in the log, whatever goes wrong', async () => {
  const home = await Installation.forTest({ ...OPEN, log: { level: 'trace' } })
  const server = await home.start()
  const [first, second, wrong, added, word] = [secret(), secret(), secret(), secret(), secret()]
  const endpoint = { port: home.port, tls: true }
  const account = { jid: 'romeo@localhost', password: first }

  await register(endpoint, account)
  await home.run(`user add juliet@localhost --password ${added}`)
  await home.run(`user add juliet@localhost --password ${added}`) // there is one
  const login = { ...account, resource: 'here' }
  await expect(Client.connect(endpoint, { ...login, password: wrong })).rejects.toThrow('not-authorized')
  await logInPlainly(home, first, wrong)
  const romeo = await Client.connect(endpoint, login)
  for (const stanza of stanzas(word, second)) {
    romeo.send(stanza)
    await romeo.receive()
  }
  for (const pid of home.databaseProcesses()) process.kill(pid, 'SIGKILL')
  romeo.send(note('lost', word))
  await romeo.receive()
  romeo.send(`<message to='romeo@localhost'><body>${word}</wrong>`)
  expect((await romeo.receive()).name).toBe('error')
  server.kill('SIGTERM')
  await server.ended()

  const lines = server.printed.trim().split('\n').map(line => JSON.parse(line) as Line)
  for (const { level, time, msg } of lines) expect([level, time, msg].map(value => typeof value)).toEqual(TEXTS)
  expect(lines.map(({ level }) => level)).toEqual(expect.arrayContaining(['debug', 'info', 'warn', 'error']))
  expect(lines.some(({ session }) => session === 'romeo@localhost/here')).toBe(true)
  expect([first, second, wrong, added, word].filter(text => server.printed.includes(text))).toEqual([])
  expect([first, second, wrong, added].filter(text => server.printed.includes(plain(text)))).toEqual([])
}, 120_000)

/** Everything in which a client tells its server a secret, or another client. */
function stanzas (word: string, password: string): readonly string[] {
  return [
    `<message to='romeo@localhost/here' type='chat'><subject>${word}</subject><body>${word}</body></message>`,
    `<message to='nobody@localhost' type='chat'><body>${word}</body></message>`,
    `<message to='no body@@localhost' type='chat'><body>${word}</body></message>`,
    note('1', word),
    `<iq type='set' id='2'><vCard xmlns='vcard-temp'><FN>${word}</FN></vCard></iq>`,
    `<iq type='set' id='3'><query xmlns='urn:example:unknown'>${word}</query></iq>`,
    newPassword('romeo', password),
    newPassword('juliet', password),
  ]
}

function note (id: string, text: string): string {
  return `<iq type='set' id='${id}'><query xmlns='jabber:iq:private'>` +
    `<note xmlns='urn:example:note'>${text}</note></query></iq>`
}

function newPassword (local: string, password: string): string {
  return `<iq type='set' id='${local}'><query xmlns='jabber:iq:register'>` +
    `<username>${local}</username><password>${password}</password></query></iq>`
}

async function logInPlainly (home: Installation, ...passwords: readonly string[]): Promise<void> {
  for (const password of passwords) {
    const peer = await Peer.open(home.direct)
    void peer.send(auth('PLAIN', `\0romeo\0${password}`))
    await peer.next()
    peer.destroy()
  }
}

function plain (password: string): string {
  return Buffer.from(`\0romeo\0${password}`).toString('base64')
}
