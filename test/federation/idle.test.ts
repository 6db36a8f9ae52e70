/** Streams on which nothing comes and goes are closed, and opened again when there is something to say. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { stringify } from 'yaml'
import { createServer } from '../../src/app/server.ts'
import type { Server } from '../../src/app/server.ts'
import { readConfig } from '../../src/cli/read-config.ts'
import { Authority } from '../support/authority.ts'
import { DnsServer } from '../support/dns/dns-server.ts'
import { createDatabase } from '../support/run/database.ts'
import { startEjabberd } from './ejabberd.ts'
import { START_MS, whyNoPeers } from './federation.ts'
import { configuration, HELIOGRAPH, run, startHeliograph } from './heliograph.ts'
import { Person } from './person.ts'
import { startProsody } from './prosody.ts'
import { makePlace } from './server.ts'
import type { FederatedServer, Neighbourhood, Place } from './server.ts'

/** More than the time after which ours closes a stream that is not used. */
const LONG_MS = 31 * 60_000

const missing = whyNoPeers()
if (missing !== undefined) console.warn(missing)

/** For one test. */
async function neighbourhood (): Promise<Neighbourhood> {
  const dns = await DnsServer.start()
  onTestFinished(() => dns[Symbol.asyncDispose]())
  return { trust: 'certificate', authority: new Authority(), dns }
}

async function removedAfter (server: FederatedServer): Promise<FederatedServer> {
  onTestFinished(() => server.remove())
  return server
}

async function arrives (name: string, { domain, ports }: Place): Promise<Person> {
  const person = await Person.arrive(ports.client, `${name}@${domain}`)
  onTestFinished(() => { person.leave() })
  return person
}

/** Each says this to the other. */
async function expectBothWays (one: Person, other: Person, body: string): Promise<void> {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    from.say(to.fullJid, `${body}-of-${from.jid}`)
    await to.expectSeen('message', { id: `${body}-of-${from.jid}`, from: from.fullJid })
  }
}

describe.skipIf(missing !== undefined)('A stream that is not used', () => {
  test('is closed by ours, and what is said later arrives', { timeout: START_MS }, async () => {
    const all = await neighbourhood()
    const place = await makePlace(all, HELIOGRAPH, undefined)
    const theirs = await removedAfter(await startProsody(all))
    const ours = await runsHere(place)
    const [romeo, juliet] = await Promise.all([arrives('romeo', place), arrives('juliet', theirs.place)])
    await expectBothWays(romeo, juliet, 'before')

    const now = performance.now.bind(performance)
    let later = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + later)
    onTestFinished(() => { clock.mockRestore() })
    await expect.poll(async () => {
      later += LONG_MS
      return streamsOf(ours)
    }, { interval: 6_000, timeout: 60_000 }).toEqual([]) // each look finds that nothing came since the last

    await expectBothWays(romeo, juliet, 'after')
  })

  test('is closed by the other, and what is said later arrives', { timeout: START_MS }, async () => {
    const all = await neighbourhood()
    const ours = await removedAfter(await startHeliograph(all))
    const theirs = await removedAfter(await startEjabberd(all, 'ejabberd.example', 's2s_timeout: 2 seconds\n'))
    const [romeo, juliet] = await Promise.all([arrives('romeo', ours.place), arrives('juliet', theirs.place)])
    await expectBothWays(romeo, juliet, 'before')

    await expect.poll(() => run(ours, 'status')).not.toMatch(/^ejabberd\.example .*(?:in|out|both) /m)

    await expectBothWays(romeo, juliet, 'after')
  })
})

/** Ours in the process of the test, whose clock the test sets. */
async function runsHere (place: Place): Promise<Server> {
  const database = await createDatabase(inject('postgresUrl'))
  const file = join(place.folder, 'server.yaml')
  const limits = { 'idle-seconds': 0 } // of clients: these say nothing of their own accord
  writeFileSync(file, stringify({ ...configuration(place), database: database.url, limits }))
  const server = await createServer(readConfig(file), pino({ level: 'silent' }))
  onTestFinished(async () => {
    await server.stop()
    await database.drop()
  })
  await server.start()
  return server
}

async function streamsOf (server: Server): Promise<readonly unknown[]> {
  const { federation } = await server.status()
  return federation?.remotes.filter(({ direction }) => direction !== undefined) ?? []
}
