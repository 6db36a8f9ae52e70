/**
 * Homes by claims: an account's home is the node that has written its name to `hg:home:<account>`. A claim of a node
 * that is gone is void: whoever needs the account next takes it, and with it what the node left.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Redis } from 'ioredis'
import type { Claim, Homes } from '../session/homes.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { storedStanza } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Bus, NodeId } from './bus.ts'
import { MEMBERS } from './membership.ts'
import type { Membership } from './membership.ts'

/** Homes of others that a node remembers. */
const MAX_KNOWN = 100_000

/** In place of a node's name: any but this one. */
const ANOTHER = ''

const RETRY_MS = 100

/** Stands before the name of a node that has given an account up, with its records in order. */
const RELEASED = '-'

/**
 * Gives the home that is another live node, or an empty string and the node that was home before. A node that nobody
 * counts among the living may not claim: 'lapsed'. Where `ARGV[2]` is empty, nothing is claimed.
 */
const CLAIM = `
  local owner = redis.call('get', KEYS[1])
  if owner and owner ~= ARGV[1] and redis.call('zscore', KEYS[2], owner) then return { owner, '' } end
  if ARGV[2] == '' then return { '', '' } end
  if not redis.call('zscore', KEYS[2], ARGV[1]) then return { 'lapsed', '' } end
  redis.call('set', KEYS[1], ARGV[1])
  return { '', (owner and owner ~= ARGV[1]) and owner or '' }`

/** Gives an account up that is ours: for whoever comes, or with records for who takes it over. */
const RELEASE = `
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
  if ARGV[2] == '' then return redis.call('del', KEYS[1]) end
  redis.call('set', KEYS[1], ARGV[2])
  return 1`

/** After a lapse: claims again what was ours under another name, unless somebody else has it. */
const RECLAIM = `
  local owner = redis.call('get', KEYS[1])
  if owner and owner ~= ARGV[1] and owner ~= ARGV[2] then return 0 end
  redis.call('set', KEYS[1], ARGV[1])
  return 1`

interface Scripts {
  hgClaim (home: string, members: string, me: string, wanted: string): Promise<[string, string]>
  hgRelease (home: string, me: string, value: string): Promise<number>
  hgReclaim (home: string, me: string, before: string): Promise<number>
}

export interface HomesParts {
  readonly redis: Redis
  readonly bus: Bus
  readonly membership: Membership
}

export class RedisHomes implements Homes {
  readonly #redis: Scripts
  readonly #bus: Bus
  readonly #membership: Membership
  #isLeaving = false
  #reclaiming: Promise<void> | undefined
  readonly #known = new LRUCache<string, NodeId>({ max: MAX_KNOWN })

  constructor ({ redis, bus, membership }: HomesParts) {
    redis.defineCommand('hgClaim', { numberOfKeys: 2, lua: CLAIM })
    redis.defineCommand('hgRelease', { numberOfKeys: 1, lua: RELEASE })
    redis.defineCommand('hgReclaim', { numberOfKeys: 1, lua: RECLAIM })
    this.#redis = redis as Redis & Scripts // what `defineCommand` has added
    this.#bus = bus
    this.#membership = membership
    bus.whenBroken(node => {
      for (const [account, home] of this.#known) if (home === node) this.#known.delete(account)
    })
  }

  elsewhere (account: string): NodeId | undefined {
    return this.#known.get(account)
  }

  /** From now on this node becomes nobody's home. */
  leave (): void {
    this.#isLeaving = true
  }

  async claim (account: string): Promise<Claim> {
    if (this.#isLeaving) return { node: ANOTHER }
    for (;;) {
      const [home, before] = await this.#ask(account, true)
      if (home === 'lapsed') await (this.#membership.certain() ?? sleep(RETRY_MS))
      else if (home !== '') return { node: home }
      else if (before === '') return {}
      else if (before.startsWith(RELEASED)) return { before: { node: before.slice(RELEASED.length), isInOrder: true } }
      else return { before: { node: before, isInOrder: false } }
    }
  }

  async find (account: string): Promise<NodeId | undefined> {
    const [home] = await this.#ask(account, false)
    return home === '' ? undefined : home
  }

  async #ask (account: string, isClaim: boolean): Promise<readonly [string, string]> {
    try {
      const answer = await this.#redis.hgClaim(keyOf(account), MEMBERS, this.#membership.id, isClaim ? 'yes' : '')
      const [home] = answer
      if (home !== '' && home !== 'lapsed') this.#known.set(account, home)
      return answer
    } catch { // Redis is away
      throw new StanzaError('remote-server-timeout', 'nobody can tell now where that account is')
    }
  }

  forget (account: string): void {
    this.#known.delete(account)
  }

  release (account: string, hasRecord: boolean): void {
    const { id } = this.#membership
    // Redis is away: it will be another's when it is needed, as this node answers that it is not home.
    this.#redis.hgRelease(keyOf(account), id, hasRecord ? RELEASED + id : '').catch(() => {})
  }

  /** After a lapse: claims accounts again, and tells `lost` of those that others are home to by now. */
  reclaim (accounts: readonly string[], before: NodeId, lost: (account: string) => void): void {
    const reclaiming = this.#reclaimAll(accounts, before, lost).finally(() => {
      if (this.#reclaiming === reclaiming) this.#reclaiming = undefined
    })
    this.#reclaiming = reclaiming
  }

  async #reclaimAll (accounts: readonly string[], before: NodeId, lost: (account: string) => void): Promise<void> {
    const { id } = this.#membership
    await Promise.all(accounts.map(async account => {
      try {
        if (await this.#redis.hgReclaim(keyOf(account), id, before) === 0) lost(account)
      } catch { // Redis is away again: when it is back this node may have lapsed again
        if (this.#membership.id === id) lost(account)
      }
    }))
  }

  async removeAt (node: NodeId, account: string): Promise<boolean> {
    const { isHome } = await this.#bus.ask(node, 'account.remove', { account })
    return isHome
  }

  /** Nothing while this node's claims are its own for sure; or else when that is known. */
  certain (): Promise<void> | undefined {
    return this.#reclaiming ?? this.#membership.certain()?.then(() => this.#reclaiming)
  }

  async forward (node: NodeId, stanza: Stanza): Promise<boolean> {
    if (node === ANOTHER) throw new StanzaError('remote-server-timeout', 'this node is leaving')
    const { isHome } = await this.#bus.ask(node, 'stanza', { identity: stanza.identity }, stanza.toBytes())
    return isHome
  }
}

/** What another node has forwarded. */
export function forwardedStanza (bytes: Buffer, identity: string | undefined): Stanza {
  const stanza = storedStanza(bytes)
  return identity === undefined ? stanza : stanza.identifiedAs(identity)
}

function keyOf (account: string): string {
  return `hg:home:${account}`
}
