import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { playScript } from './play.ts'
import { parseScript } from './script.ts'

const HEADER = '[Client] Romeo\n\tjid: romeo@localhost\n\tpassword: secret\n---\nRomeo connects\n'
let server: Server | undefined

afterEach(() => { server?.close() })

/** Plays against a server that lets everybody in, and sends back each stanza as it came. */
async function play (text: string, header = ''): Promise<void> {
  server = createServer(socket => {
    socket.on('error', () => {}).setEncoding('utf8').on('data', (heard: string) => { socket.write(answer(heard)) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  await playScript(parseScript(header + HEADER + text), [{ port: address.port, tls: false }])
}

function answer (heard: string): string {
  if (heard.includes('<stream:stream')) {
    return "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features/>"
  }
  if (heard.startsWith('<auth')) return "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
  if (heard.includes('<bind')) return "<iq type='result'><bind><jid>romeo@localhost/orchard</jid></bind></iq>"
  return heard
}

test('what comes must be what is expected, with names filled in', async () => {
  await play("Romeo sends:\n\t<a b=\"${Romeo's full JID}\"/>\nRomeo receives:\n\t<a b='romeo@localhost/orchard'/>")
})

test('what differs is reported with its line', async () => {
  await expect(play("Romeo sends:\n\t<a b='1'/>\n\nRomeo receives:\n\t<a b='2'/>"))
    .rejects.toThrow("line 9: Romeo receives: <a b='1'>, expected '2'")
})

test('order counts, unless the script says that it does not', async () => {
  const steps = 'Romeo receives:\n\t<b/>\nRomeo receives:\n\t<a/>'

  await expect(play(`Romeo sends:\n\t<a/><b/>\n${steps}`)).rejects.toThrow('expected <b')
  await play(`Romeo sends:\n\t<a/><b/>\n# In any order\n${steps}`)
})

test('each of a group must come', async () => {
  await expect(play('Romeo sends:\n\t<a/><a/>\n# In any order\nRomeo receives:\n\t<a/>\nRomeo receives:\n\t<b/>'))
    .rejects.toThrow('expected <b')
})

test('what may come may stay away, come late, and come once', async () => {
  const may = '# May come: why\nRomeo receives:\n\t<m/>\n'

  await play(`Romeo sends:\n\t<a/>\n${may}Romeo receives:\n\t<a/>`)
  await play(`Romeo sends:\n\t<a/><m/><b/>\n${may}Romeo receives:\n\t<a/>\nRomeo receives:\n\t<b/>`)
  await expect(play(`Romeo sends:\n\t<m/><m/><a/>\n${may}Romeo receives:\n\t<a/>`)).rejects.toThrow('got <m/>')
})

test('what may come at any time may come as often as it likes, and is not waited for', async () => {
  const header = "# at any time: <m xmlns='jabber:client'/>\n"

  await play('Romeo sends:\n\t<m/><a/><m/><m/><b/>\nRomeo receives:\n\t<a/>\nRomeo receives:\n\t<b/>', header)
  await expect(play('Romeo sends:\n\t<m/><n/><a/>\nRomeo receives:\n\t<a/>', header)).rejects.toThrow('got <n/>')
})

test('who is to receive nothing is told what came', async () => {
  await play('Romeo receives: nothing')
  await expect(play('Romeo sends:\n\t<a/>\nRomeo receives: nothing')).rejects.toThrow('got <a/>')
})

test('what was captured can be sent', async () => {
  await play("Romeo sends:\n\t<a id='7'/>\nRomeo receives:\n\t<a id='{scansion:capture:x}'/>\n" +
    "Romeo sends:\n\t<b id='${x}'/>\nRomeo receives:\n\t<b id='7'/>")
})
