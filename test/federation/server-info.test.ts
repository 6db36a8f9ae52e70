/** What servers publish about whom they are connected to. */
import { describe, expect, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { clusterIn } from './cluster.ts'
import type { Cluster } from './cluster.ts'
import { Federation, START_MS } from './federation.ts'
import { HELIOGRAPH, startHeliograph } from './heliograph.ts'
import { Person } from './person.ts'

const OPEN = { extensions: { 'server-info': { 'interval-seconds': 1 } } }
const HERE = 'here.example'
const OPEN_TOO = 'open.example'
const PRIVATE = 'private.example'
/** The machine may be busy. */
const PATIENCE = { timeout: 60_000 }

const STREAMS = "(<connection type='(bidi|incoming|outgoing)'/>)+"

/** What the server of somebody has published. */
function published (asker: Person): Promise<string> {
  const [, domain] = asker.jid.split('@')
  return asker.ask(`pubsub.${domain}`,
    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='serverinfo'/></pubsub>")
}

/** A domain whose streams are not at the node that publishes. */
async function domainElsewhere (cluster: Cluster): Promise<string> {
  const publisher = await cluster.place(`pubsub.${HELIOGRAPH}`)
  for (let n = 0; ; n++) if (await cluster.owner(`open${n}.example`) !== publisher) return `open${n}.example`
}

describe('A server that publishes its connections', { timeout: START_MS }, () => {
  test('names servers that do so, too, and no others', async () => {
    await using federation = await Federation.start('certificate')
    const { neighbourhood } = federation
    for (const domain of [HERE, OPEN_TOO]) federation.keep(await startHeliograph(neighbourhood, {}, domain, OPEN))
    await federation.add('heliograph', PRIVATE)
    const romeo = await federation.arrive('romeo', HERE)
    const juliet = await federation.arrive('juliet', OPEN_TOO)
    const rosaline = await federation.arrive('rosaline', PRIVATE)

    for (const other of [juliet, rosaline]) romeo.say(other.fullJid, 'hello')
    for (const other of [juliet, rosaline]) await other.expectSeen('message', { id: 'hello' })

    await expect.poll(() => published(romeo), PATIENCE).toMatch(new RegExp(`<domain name='${HERE}'><federation>`
      + `<remote-domain name='${OPEN_TOO}'>${STREAMS}</remote-domain><remote-domain>${STREAMS}</remote-domain></federation>`))
    await expect.poll(() => published(juliet), PATIENCE)
      .toMatch(new RegExp(`<federation><remote-domain name='${HERE}'>${STREAMS}</remote-domain></federation>`))
    expect(await published(rosaline)).toContain('<item-not-found ')
  })

  test.skipIf(!hasRedis())('tells of streams that are open at any of its nodes', async () => {
    await using federation = await Federation.start('certificate')
    await using cluster = await clusterIn(federation, OPEN)
    const domain = await domainElsewhere(cluster)
    const owner = await cluster.owner(domain)
    cluster.listenAt(owner)
    federation.keep(await startHeliograph(federation.neighbourhood, {}, domain, OPEN))
    const romeo = await Person.arrive(owner.port, `romeo@${HELIOGRAPH}`)
    const juliet = await federation.arrive('juliet', domain)

    romeo.say(juliet.fullJid, 'hello')
    await juliet.expectSeen('message', { id: 'hello' })

    await expect.poll(() => published(romeo), PATIENCE).toMatch(new RegExp(
      `<domain name='${HELIOGRAPH}'><federation><remote-domain name='${domain}'>${STREAMS}</remote-domain></federation>`))
    romeo.leave()
  })
})
