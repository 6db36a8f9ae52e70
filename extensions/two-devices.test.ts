/**
 * Two people with two devices each, cut off, come back and send again as it happens: in the end every device has the
 * conversation that the archive has, in its order, and nothing came twice (XEP-0198, 0280, 0313, 0359 together).
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { numbered } from '../test/support/world/archive-numbers.ts'
import { world } from '../test/support/world/world.ts'
import type { Client, World } from '../test/support/world/world.ts'
import { archive } from './archive/index.ts'
import { carbons } from './carbons/index.ts'
import { messageStatus } from './message-status/index.ts'
import { offline } from './offline/index.ts'
import { streamManagement } from './stream-management/index.ts'

const NS_SM = 'urn:xmpp:sm:3'

/** A client that does as a good one should: it resumes, asks for copies, and catches up before it is available. */
class Device {
  readonly name: string
  readonly #server: World
  readonly #address: string
  readonly #peer: string
  #client: Client | undefined
  #previd: string | undefined
  #handled = 0
  #isCut = false
  /** What it sent and may send again. */
  readonly #sent: string[] = []
  /** What it has of others', by the id in the archive, in the order in which it came. */
  readonly has = new Map<number, string>()
  /** What it was sent on its own, or as a copy. */
  readonly #live = new Set<number>()
  #lastLive = 0

  constructor (server: World, address: string, peer: string) {
    this.#server = server
    this.#address = address
    this.#peer = peer
    this.name = address
  }

  sentIt (body: string): boolean {
    return this.#sent.includes(body)
  }

  async says (body: string): Promise<void> {
    if (!this.#client || this.#isCut) return
    this.#sent.push(body)
    await this.#sends(body)
  }

  /** It is not sure that the server has it. */
  async repeats (): Promise<void> {
    const last = this.#sent.at(-1)
    if (last !== undefined && this.#client && !this.#isCut) await this.#sends(last)
  }

  async #sends (body: string): Promise<void> {
    await this.#client?.sends(`<message to='${this.#peer}' type='chat' id='${body}'><body>${body}</body>` +
      `<origin-id xmlns='urn:xmpp:sid:0' id='${body}'/></message>`)
  }

  /** Its connection breaks, and the last of what came by it is lost. */
  async loses (count: number): Promise<void> {
    if (!this.#client || this.#isCut) return
    const received = (await this.#client.received())
    this.#take(received.slice(0, Math.max(0, received.length - count)))
    this.#client.leaves()
    this.#isCut = true
  }

  /** It goes on with its session, or else with a new one. */
  async comesBack (): Promise<void> {
    if (!this.#isCut) return this.acknowledges()
    await this.#client?.received()
    const answer = await this.#client?.resumes(
      `<resume xmlns='${NS_SM}' previd='${this.#previd}' h='${this.#handled}'/>`,
    )
    if (!answer?.startsWith('<resumed')) return this.logsIn()
    this.#isCut = false
  }

  /** A new session; of the old one, if there is one, nothing is left. */
  async logsIn (): Promise<void> {
    this.#client?.leaves(false)
    const client = this.#client = await this.#server.client(this.#address)
    this.#isCut = false
    this.#handled = 0
    this.#lastLive = 0
    await client.sendsNonza(`<enable xmlns='${NS_SM}' resume='true'/>`)
    this.#previd = (await client.received()).map(xml => /<enabled .*\bid='([^']+)'/.exec(xml)?.[1]).find(id =>
      id !== undefined
    )
    await client.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
    this.#handled++
    await this.#catchesUp(client)
    await client.sends('<presence/>')
  }

  async #catchesUp (client: Client): Promise<void> {
    const last = Math.max(0, ...this.has.keys())
    const after = last === 0 ? '' : `<after>${client.session.account.archiveIds.encode(last)}</after>`
    await client.asks(
      'set',
      `<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>100</max>${after}</set></query>`,
    )
    this.#handled++
    const received = await client.received()
    // What comes meanwhile comes after what is caught up with.
    const results = received.filter(xml => xml.includes('<result '))
    this.#take([...results, ...received.filter(xml => !results.includes(xml))])
  }

  /** Says how far it has read. */
  async acknowledges (): Promise<void> {
    if (!this.#client || this.#isCut) return
    this.#take(await this.#client.received())
    await this.#client.sendsNonza(`<a xmlns='${NS_SM}' h='${this.#handled}'/>`)
  }

  #take (received: readonly string[]): void {
    for (const told of received) {
      const xml = this.#client ? numbered(told, this.#client.session.account) : told
      if (!/^<(message|presence|iq)/.test(xml)) continue
      this.#handled++
      const body = /<body>(.*?)<\/body>/.exec(xml)?.[1]
      if (body === undefined) continue
      const result = /<result [^>]*\bid='(\d+)'/.exec(xml)?.[1]
      const id = Number(
        result ?? new RegExp(`<stanza-id [^>]*by='${this.#address.split('/')[0]}' id='(\\d+)'`).exec(xml)?.[1],
      )
      if (result === undefined) this.#takeLive(id)
      if (!this.has.has(id)) this.has.set(id, body)
    }
  }

  #takeLive (id: number): void {
    if (this.#live.has(id)) throw new Error(`${this.name} was sent ${id} twice`)
    if (id <= this.#lastLive) throw new Error(`${this.name} was sent ${id} after ${this.#lastLive}`)
    this.#live.add(id)
    this.#lastLive = id
  }
}

const step = fc.record({
  device: fc.nat(3),
  does: fc.constantFrom('says', 'says', 'says', 'repeats', 'loses', 'comesBack', 'acknowledges', 'logsIn'),
  count: fc.nat(3),
  // Or else it happens while the one before is under way.
  isAwaited: fc.boolean(),
} as const)

let runs = 0

async function play (
  server: World,
  steps: readonly { device: number, does: string, count: number, isAwaited: boolean }[],
): Promise<void> {
  const run = runs++
  const [romeo, juliet] = [`romeo.${run}@localhost`, `juliet.${run}@localhost`]
  const devices = [
    new Device(server, `${romeo}/phone`, juliet), new Device(server, `${romeo}/laptop`, juliet),
    new Device(server, `${juliet}/phone`, romeo), new Device(server, `${juliet}/laptop`, romeo),
  ]
  for (const device of devices) await device.logsIn()
  const busy = new Map<Device, Promise<void>>()
  for (const [n, { device: index, does, count, isAwaited }] of steps.entries()) {
    const device = devices[index]
    if (!device) continue
    const done = (busy.get(device) ?? Promise.resolve()).then(() => perform(device, does, count, `m${n}`))
    busy.set(device, done)
    if (isAwaited) await done
  }
  await Promise.all(busy.values())
  for (const device of devices) await device.comesBack()
  for (const device of devices) await device.acknowledges()

  for (const [owner, own] of [[romeo, devices.slice(0, 2)], [juliet, devices.slice(2)]] as const) {
    const rows = await server.db.query<{ seq: number, stanza: string }>(
      'select seq, stanza from archive_message where owner = $1 order by seq', [owner])
    const archived = rows.map(({ stanza }) => /<body>(.*?)<\/body>/.exec(stanza)?.[1] ?? '')
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, at) => at + 1))
    expect(new Set(archived).size).toBe(archived.length)
    for (const device of own) {
      expect([...device.has.values()].filter(body => !device.sentIt(body))).toEqual(
        archived.filter(body => !device.sentIt(body)),
      )
    }
  }
}

function perform (device: Device, does: string, count: number, body: string): Promise<void> {
  switch (does) {
    case 'says': return device.says(body)
    case 'repeats': return device.repeats()
    case 'loses': return device.loses(count)
    case 'comesBack': return device.comesBack()
    case 'logsIn': return device.logsIn()
    default: return device.acknowledges()
  }
}

test('every device ends with the conversation that the archive has, in its order', async () => {
  const server = await world(archive, offline, carbons, messageStatus, streamManagement)

  const steps = fc.array(step, { minLength: 3, maxLength: 25 })
  await fc.assert(fc.asyncProperty(steps, steps => play(server, steps)), { numRuns: 60 })
}, 300_000)
