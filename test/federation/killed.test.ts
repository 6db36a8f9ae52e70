/** Two servers of ours that are killed under load, one after the other: what a sender's tick has promised holds. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Federation, START_MS } from './federation.ts'
import { expectWaiting } from './heliograph.ts'
import { Person } from './person.ts'
import type { FederatedServer, Trust } from './server.ts'

const SM = 'urn:xmpp:sm:3'
const BATCH = 10
const COUNT = 600
/** A server is killed each time that so many more messages were acknowledged. */
const BETWEEN_KILLS = 150

/** Says messages until all are acknowledged: after a break those anew that were not, with the ids they had. */
class Talker {
  readonly ids: readonly string[]
  acknowledged = 0
  readonly #server: FederatedServer
  readonly #jid: string
  readonly #to: string

  constructor (server: FederatedServer, jid: string, to: string) {
    this.#server = server
    this.#jid = jid
    this.#to = to
    this.ids = Array.from({ length: COUNT }, (_, index) => `${jid.split('@')[0]}-${index}`)
  }

  async talk (): Promise<void> {
    for (let stream = 0; this.acknowledged < COUNT; stream++) {
      try {
        await this.#talkUntilBreak(await Person.logIn(this.#server.place.ports.client, this.#jid, `stream${stream}`))
      } catch { // its server was killed
        await delay(100)
      }
    }
  }

  async #talkUntilBreak (person: Person): Promise<void> {
    const before = this.acknowledged
    person.send(`<enable xmlns='${SM}'/>`)
    await person.expectSeen('enabled', {})
    while (this.acknowledged < COUNT) {
      const batch = this.ids.slice(this.acknowledged, this.acknowledged + BATCH)
      for (const id of batch) person.say(this.#to, id, `<origin-id xmlns='urn:xmpp:sid:0' id='${id}'/>`)
      person.send(`<r xmlns='${SM}'/>`)
      await person.expectSeen('a', { h: String(this.acknowledged - before + batch.length) })
      this.acknowledged += batch.length
    }
    person.leave()
  }
}

/** The bodies in somebody's archive that are somebody else's, page by page. */
async function archived (reader: Person, author: string): Promise<readonly string[]> {
  const bodies: string[] = []
  for (let after = '', page = 0; ; page++) {
    const rsm = `<set xmlns='http://jabber.org/protocol/rsm'><max>50</max>${after}</set>`
    const fin = await reader.ask(reader.jid, `<query xmlns='urn:xmpp:mam:2' queryid='page${page}'>${rsm}</query>`, 'set')
    bodies.push(...reader.bodiesOf(`page${page}`, author))
    const last = /<last>([^<]*)</.exec(fin)?.[1]
    if (fin.includes("complete='true'") || last === undefined) return bodies
    after = `<after>${last}</after>`
  }
}

describe.each<Trust>(['certificate', 'dialback'])('Two servers that are killed under load, by %s', trust => {
  let federation: Federation

  beforeAll(async () => {
    federation = await Federation.start(trust)
    await Promise.all([federation.add('heliograph', 'a.example'), federation.add('heliograph', 'b.example')])
  }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('lose no message and double none, and keep the order', async () => {
    const servers = [federation.server('a.example'), federation.server('b.example')] as const
    const romeo = await federation.arrive('romeo', 'a.example')
    const juliet = await federation.arrive('juliet', 'b.example')
    const talkers = [new Talker(servers[0], romeo.jid, juliet.jid), new Talker(servers[1], juliet.jid, romeo.jid)]

    const talk = Promise.all(talkers.map(talker => talker.talk()))
    for (let kills = 1; kills * BETWEEN_KILLS < 2 * COUNT; kills++) {
      await expect.poll(() => talkers.reduce((sum, { acknowledged }) => sum + acknowledged, 0), { timeout: 60_000 })
        .toBeGreaterThanOrEqual(kills * BETWEEN_KILLS)
      const victim = servers[kills % 2]!
      await victim.kill()
      await victim.start()
    }
    await talk

    await expectWaiting(servers[0], 'b.example', 0)
    await expectWaiting(servers[1], 'a.example', 0)
    expect(await archived(await federation.logIn(juliet.jid, 'reader'), romeo.jid)).toEqual(talkers[0]?.ids)
    expect(await archived(await federation.logIn(romeo.jid, 'reader'), juliet.jid)).toEqual(talkers[1]?.ids)
  }, 400_000)
})
