/** A component of slixmpp, as Debian ships it, at a server with a configuration for it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram } from '../../conformance/peers/server.ts'
import { Client } from '../../conformance/runner/client.ts'
import { formatXml } from '../../conformance/runner/xml.ts'
import { Installation } from '../server/installation.ts'
import { whyNoSlixmpp } from './slixmpp.ts'

const DOMAIN = 'echo.localhost'
const SECRET = 'a secret ☀'

const missing = whyNoSlixmpp()
if (missing !== undefined) console.warn(`slixmpp is not tested: ${missing}`)

const running: (ChildProcess | Client)[] = []

afterEach(async () => {
  for (const one of running.splice(0)) await (one instanceof Client ? one.destroy() : endProgram(one))
})

interface Scene { readonly home: Installation, readonly romeo: Client, start (): Promise<string[]> }

async function scene (privileges = {}): Promise<Scene> {
  const home = await Installation.forTest()
  const port = await freePort()
  home.configure({
    listen: { client: `127.0.0.1:${home.port}`, component: `127.0.0.1:${port}` },
    components: { [DOMAIN]: { secret: SECRET, privileges } },
  })
  await home.start()
  await home.run('user add romeo@localhost --password wherefore')
  const romeo = await Client.connect({ port: home.port, tls: true },
    { jid: 'romeo@localhost', password: 'wherefore', resource: 'orchard' })
  running.push(romeo)
  romeo.send('<presence/>')
  await expectHeard(romeo, '<presence ')
  return {
    home, romeo,
    async start () {
      const lines: string[] = []
      const script = join(import.meta.dirname, 'slixmpp_component.py')
      const child = spawn('/usr/bin/python3', [script, DOMAIN, SECRET, `${port}`], { stdio: ['ignore', 'pipe', 'inherit'] })
      running.push(child)
      createInterface(child.stdout).on('line', line => { lines.push(line) })
      await expect.poll(() => lines.join('\n'), { timeout: 20_000 }).toContain('"session"')
      return lines
    },
  }
}

async function expectHeard (client: Client, what: string | RegExp): Promise<void> {
  for (;;) {
    const xml = formatXml(await client.receive())
    if (typeof what === 'string' ? xml.includes(what) : what.test(xml)) return
  }
}

function says (client: Client, text: string): void {
  client.send(`<message to='bot@${DOMAIN}' type='chat' id='${text}'><body>${text}</body></message>`)
}

describe.skipIf(missing !== undefined)('a component of slixmpp', () => {
  test('answers what it is sent, also what waited for it, and is found by service discovery', async () => {
    const { home, romeo, start } = await scene()
    says(romeo, 'early')
    await expect.poll(async () => (await home.run('status')).out).toMatch(/^echo\.localhost .* the component is not connected/m)

    await start()

    await expectHeard(romeo, 'echo: early')
    says(romeo, 'late')
    await expectHeard(romeo, 'echo: late')
    romeo.send(`<iq to='${DOMAIN}' type='get' id='d'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    await expectHeard(romeo, /id=["']d["'].*category=["']gateway["']|category=["']gateway["'].*id=["']d["']/s)
    romeo.send("<iq to='localhost' type='get' id='i'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>")
    await expectHeard(romeo, DOMAIN)
    await expect.poll(async () => (await home.run('status')).out).toMatch(/^echo\.localhost +localhost +both +secret +- +0/m)
  })

  test('with privileges gets rosters, and speaks for accounts', async () => {
    const { romeo, start } = await scene({ roster: 'both', message: 'outgoing' })
    romeo.send("<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='nurse@localhost'/></query></iq>")

    const lines = await start()

    await expect.poll(() => lines.join('\n')).toContain('"privileges", "roster": "both", "message": "outgoing"')
    says(romeo, 'roster romeo@localhost')
    await expectHeard(romeo, /<body[^>]*>nurse@localhost</)
    says(romeo, 'speak romeo@localhost hark')
    await expectHeard(romeo, /from=["']romeo@localhost["'].*<body[^>]*>hark</)
  })
})
