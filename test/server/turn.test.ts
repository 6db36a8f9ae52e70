/** Debian's coturn accepts the credentials that clients are told (XEP-0215), for as long as they are good. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder, requireProgram, startProgram } from '../../conformance/peers/server.ts'
import { credentialsFor } from '../../extensions/calls/service.ts'
import { Jid } from '../../src/xmpp/jid.ts'

const SERVER = '/usr/bin/turnserver'
const CLIENT = '/usr/bin/turnutils_uclient'
const SECRET = 'shared between both'
const ROMEO = Jid.parse('romeo@localhost')

const missing = whyNoCoturn()
if (missing !== undefined) console.warn(`coturn is not tried: ${missing}`)

function whyNoCoturn (): string | undefined {
  try {
    requireProgram(SERVER, 'coturn')
  } catch (error) { // not root, or no Debian, or no network
    return error instanceof Error ? error.message : String(error)
  }
}

async function startCoturn (): Promise<number> {
  const port = await freePort()
  const folder = makeFolder('coturn')
  const server = await startProgram(SERVER, [
    '-n', '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`,
    '--use-auth-secret', `--static-auth-secret=${SECRET}`, '--realm=localhost', '--no-tls',
    '--no-dtls', '--no-cli', '--allow-loopback-peers', '--log-file=stdout', `--pidfile=${folder}/pid`,
    `--userdb=${folder}/users`,
  ], port, { cwd: folder })
  onTestFinished(() => endProgram(server))
  return port
}

/** Sends a message over a relay to itself; whether that was allowed. */
async function relays (port: number, { username, password }: ReturnType<typeof credentialsFor>): Promise<boolean> {
  const parameters = ['-t', '-y', '-n', '1', '-m', '1', '-c', '-p', String(port), '-u', username, '-w', password]
  const { stdout } = await promisify(execFile)(CLIENT, [...parameters, '127.0.0.1'], { timeout: 20_000 })
    .catch((error: { readonly stdout?: string }) => ({ stdout: String(error.stdout) }))
  return stdout.includes('Total transmit time')
}

test.skipIf(missing !== undefined)('coturn relays for who has credentials, and not when they have ended', async () => {
  const port = await startCoturn()

  expect(await relays(port, credentialsFor(SECRET, 600, ROMEO))).toBe(true)
  expect(await relays(port, credentialsFor(SECRET, 600, ROMEO, Date.now() - 700_000))).toBe(false)
  expect(await relays(port, credentialsFor('another', 600, ROMEO))).toBe(false)
})
