import { createHmac, createHash, pbkdf2Sync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Client } from './client.ts'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const ROMEO = { jid: 'romeo@localhost', password: 'pencil', resource: 'orchard' }
const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
const FEATURES = (inner: string): string => `${HEADER}<stream:features>${inner}</stream:features>`
const BIND = FEATURES("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
const BOUND = "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
  '<jid>romeo@localhost/orchard</jid></bind></iq>'
let server: Server | undefined

afterEach(() => { server?.close() })

/** A server that says the next line each time something comes; a function is told what came. */
async function rehearse (...lines: readonly (string | ((heard: string) => string))[]): Promise<number> {
  server = createServer(socket => {
    const left = [...lines]
    socket.setEncoding('utf8').on('data', (heard: string) => {
      const line = left.shift() ?? ''
      socket.write(typeof line === 'string' ? line : line(heard))
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

test('a client logs in with PLAIN where there is nothing better, binds, and takes what comes in order', async () => {
  const heard: string[] = []
  const port = await rehearse(
    FEATURES(`<mechanisms xmlns='${SASL}'><mechanism>PLAIN</mechanism></mechanisms>`),
    auth => { heard.push(auth); return `<success xmlns='${SASL}'/>` },
    BIND, BOUND, '<message><body>1</body></message><message><body>2</body></mess', 'age>',
  )

  const client = await Client.connect({ port, tls: false }, ROMEO)
  client.send('<presence/>')
  const first = await client.receive()
  client.send('<presence/>')
  const second = await client.receive()
  client.destroy()

  expect(heard[0]).toContain(`>${Buffer.from('\0romeo\0pencil').toString('base64')}<`)
  expect(client.fullJid).toBe('romeo@localhost/orchard')
  expect([first, second].map(({ children }) => children[0]?.text)).toEqual(['1', '2'])
})

test.each([['pencil', true], ['another', false]])('a server that knows %s is believed: %s', async (known, ok) => {
  const salt = Buffer.from('salt')
  const say = (name: string, text: string): string =>
    `<${name} xmlns='${SASL}'>${Buffer.from(text).toString('base64')}</${name}>`
  const decoded = (element: string): string => Buffer.from(/>([^<]*)</.exec(element)?.[1] ?? '', 'base64').toString()
  let first = ''
  let challenge = ''
  const port = await rehearse(
    FEATURES(`<mechanisms xmlns='${SASL}'><mechanism>PLAIN</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms>`),
    auth => {
      first = decoded(auth).slice(3)
      challenge = `${first.slice(first.indexOf('r='))}more,s=${salt.toString('base64')},i=4096`
      return say('challenge', challenge)
    },
    response => {
      const [withoutProof, proof] = decoded(response).split(',p=')
      const salted = pbkdf2Sync(known, salt, 4096, 20, 'sha1')
      const sign = (key: Buffer, text: string): Buffer => createHmac('sha1', key).update(text).digest()
      const message = `${first},${challenge},${withoutProof}`
      const clientKey = sign(salted, 'Client Key')
      const signature = sign(createHash('sha1').update(clientKey).digest(), message)
      const expected = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))).toString('base64')
      if (ok) expect(proof).toBe(expected)
      return say('success', `v=${sign(sign(salted, 'Server Key'), message).toString('base64')}`)
    },
    BIND, BOUND,
  )

  const login = Client.connect({ port, tls: false }, ROMEO).then(client => { client.destroy() })

  if (ok) await login
  else await expect(login).rejects.toThrow('does not know the password')
})

test('a login that fails says what the server said', async () => {
  const port = await rehearse(
    FEATURES(`<mechanisms xmlns='${SASL}'><mechanism>PLAIN</mechanism></mechanisms>`),
    `<failure xmlns='${SASL}'><not-authorized/></failure>`,
  )

  await expect(Client.connect({ port, tls: false }, ROMEO)).rejects.toThrow('not-authorized')
})

test('what is no XML, and the end of the stream, are told to who waits', async () => {
  const lines = [FEATURES(`<mechanisms xmlns='${SASL}'/>`), `<success xmlns='${SASL}'/>`, BIND, BOUND]
  const broken = await Client.connect({ port: await rehearse(...lines, '<message></presence>'), tls: false }, ROMEO)
  broken.send('<presence/>')
  await expect(broken.receive()).rejects.toThrow('no XML')
  broken.destroy()
  server?.close()

  const port = await rehearse(...lines, '<message/></stream:stream>')
  const ended = await Client.connect({ port, tls: false }, ROMEO)
  ended.send('<presence/>')

  expect((await ended.receive()).name).toBe('message')
  await expect(ended.receive()).rejects.toThrow('closed the stream')
  ended.destroy()
})
