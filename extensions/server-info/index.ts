/**
 * XEP-0485: PubSub Server Information. Publishes with which other servers each host has open streams, at the node
 * `serverinfo` of its service. Only servers that publish the same of themselves are named (§7).
 */
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { el, extension, Jid, Written } from '../../src/extension/api.ts'
import type { Element, ExtensionHost } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:serverinfo:0'
const NODE = 'serverinfo'
const ITEM = 'current'
/** What has not changed is published again after so long, before it expires: what is switched off is soon forgotten. */
const RENEW_MS = 24 * 3_600_000
const EXPIRE_SECONDS = 3 * 24 * 3600
/** §5. */
const OPTIONS = {
  'pubsub#access_model': ['open'], 'pubsub#max_items': ['1'], 'pubsub#item_expire': [String(EXPIRE_SECONDS)],
}

/** The most links of a host that are told: with the longest names they still are an item of 128 KiB. */
const MAX_LINKS = 400
/** Other servers are asked again after so long whether they may be named. */
const CONSENT_MS = 3_600_000
const MAX_CONSENTS = 10_000

const TYPES: Readonly<Record<string, string>> = { in: 'incoming', out: 'outgoing', both: 'bidi' }

export const serverInfo = extension({
  name: 'server-info',
  xeps: ['0485@1.0.0'],
  isOptIn: true,
  config: z.strictObject({ 'interval-seconds': z.int().min(1).max(86_400).default(600) }).prefault({}),
  async setup (host, { 'interval-seconds': seconds }) {
    const information = new ServerInformation(host)
    host.disco.feature(NS)
    host.disco.serverFields(domain => [{
      name: 'serverinfo-pubsub-node', type: 'text-single', values: [`xmpp:${serviceOf(domain)}?;node=${NODE}`],
    }])
    host.cluster?.answer<readonly [domain: string]>((_node, [domain]) => linksOf(domain, host).join('\n'))
    await information.begin()
    host.every(seconds * 1000, () => information.refresh())
  },
})

class ServerInformation {
  readonly #host: ExtensionHost
  /** Whether other servers may be named. */
  readonly #consents = new LRUCache<string, boolean>({ max: MAX_CONSENTS, ttl: CONSENT_MS })
  #isRefreshing = false

  constructor (host: ExtensionHost) {
    this.#host = host
  }

  /** Creates the nodes that are missing, before anybody else can. */
  async begin (): Promise<void> {
    const { hosts, pubsub } = this.#host
    for (const domain of hosts) {
      await this.#logged(domain, async () => {
        if (!await pubsub.options(serviceOf(domain), NODE)) await this.#publish(domain, [])
      })
    }
  }

  /** Publishes what has changed. */
  async refresh (): Promise<void> {
    if (this.#isRefreshing) return // other servers take their time to answer
    this.#isRefreshing = true
    const { hosts, cluster } = this.#host
    for (const domain of hosts) {
      if (cluster?.placeOf(serviceOf(domain)) !== undefined) continue
      await this.#logged(domain, async () => {
        const links = await this.#links(domain)
        await this.#ask(domain, links)
        await this.#publish(domain, links)
      })
    }
    this.#isRefreshing = false
  }

  async #logged (domain: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (err) {
      this.#host.log.warn({ event: 'server_info.not_published', err, host: domain }, 'server-info: not published')
    }
  }

  /** Those of all nodes. */
  async #links (domain: string): Promise<readonly string[]> {
    const { cluster } = this.#host
    const others = await Promise.all(cluster?.nodes.map(node => cluster.ask(node, [domain])) ?? [])
    const links = [...linksOf(domain, this.#host), ...others.flatMap(answer => answer === '' ? [] : answer.split('\n'))]
    return sortedOnce(links)
  }

  /** §3: by the feature a server says that it may be named. */
  async #ask (domain: string, links: readonly string[]): Promise<void> {
    const { disco } = this.#host
    const unknown = [...domainsIn(links).keys()].filter(remote => this.#consents.get(remote) === undefined)
    await Promise.all(unknown.map(async remote => {
      const features = await disco.featuresOf(Jid.parse(remote), Jid.parse(domain))
      this.#consents.set(remote, features?.has(NS) === true)
    }))
  }

  async #publish (domain: string, links: readonly string[]): Promise<void> {
    const { pubsub } = this.#host
    const service = serviceOf(domain)
    const payload = Written.of(describe(domain, links, remote => this.#consents.get(remote) === true))
    const [published] = await pubsub.items(service, NODE, [ITEM])
    if (published?.payload === payload.xml && Date.now() - published.publishedAt < RENEW_MS) return
    await pubsub.publish(service, NODE, { id: ITEM, payload }, OPTIONS)
  }
}

function serviceOf (domain: string): Jid {
  return Jid.parse(`pubsub.${domain}`)
}

/** The open streams of a host at this node: `DOMAIN in`, `DOMAIN out` or `DOMAIN both`. */
function linksOf (domain: string, { federation: { connections } }: ExtensionHost): readonly string[] {
  const links: string[] = []
  for (const { local, remote, direction } of connections) if (local === domain) links.push(`${remote} ${direction}`)
  return sortedOnce(links)
}

function sortedOnce (links: readonly string[]): readonly string[] {
  return [...new Set(links)].sort().slice(0, MAX_LINKS)
}

function domainsIn (links: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const domains = Map.groupBy(links.map(link => link.split(' ')), ([remote = '']) => remote)
  return new Map([...domains].map(([remote, all]) => [remote, all.map(([, direction = '']) => direction)]))
}

/** §4. The order of servers without a name says nothing of theirs. */
function describe (domain: string, links: readonly string[], isNamed: (remote: string) => boolean): Element {
  const remotes = [...domainsIn(links)]
  const named = remotes.filter(([remote]) => isNamed(remote))
  const nameless = remotes.filter(([remote]) => !isNamed(remote)).map(([, directions]) => directions)
  return el('serverinfo', NS, {}, el('domain', NS, { name: domain }, el('federation', NS, {},
    named.map(([remote, directions]) => remoteDomain(remote, directions)),
    nameless.sort().map(directions => remoteDomain(undefined, directions)))))
}

function remoteDomain (name: string | undefined, directions: readonly string[]): Element {
  return el('remote-domain', NS, { name },
    directions.map(direction => el('connection', NS, { type: TYPES[direction] })))
}
