/** What an administrator is told about other servers. */
import type { Counters } from './counters.ts'
import type { PairStatus } from './queue/pair-queue.ts'
import type { ProvenPair } from './streams.ts'

/** What there is between a domain that is served here and another one. */
export interface RemoteStatus {
  readonly local: string
  readonly remote: string
  /** Which way stanzas go over the open streams; undefined where there is none. */
  readonly direction: ProvenPair['direction'] | undefined
  /** What proved the domains on the open streams. */
  readonly provenBy: readonly string[]
  /** The versions of TLS on the open streams. */
  readonly tls: readonly string[]
  /** Messages and subscriptions that are not confirmed yet. */
  readonly waiting: number
  readonly oldestSeconds: number | undefined
  readonly lastError: string | undefined
}

export interface FederationStatus {
  readonly remotes: readonly RemoteStatus[]
  readonly counters: Readonly<Counters>
}

/** One entry for each pair of domains, those first for which most is waiting; `now` is in milliseconds since 1970. */
export function statusOf (
  queues: Iterable<PairStatus>, streams: Iterable<ProvenPair>, now: number,
): readonly RemoteStatus[] {
  const queueOf = new Map([...queues].map(queue => [keyOf(queue), queue]))
  const streamsOf = Map.groupBy(streams, keyOf)
  return [...new Set([...queueOf.keys(), ...streamsOf.keys()])]
    .map(key => pairStatus(key, queueOf.get(key), streamsOf.get(key) ?? [], now))
    .sort((a, b) => b.waiting - a.waiting || (a.remote < b.remote ? -1 : 1))
}

function keyOf ({ local, remote }: { readonly local: string, readonly remote: string }): string {
  return `${local} ${remote}`
}

function pairStatus (
  key: string, queue: PairStatus | undefined, streams: readonly ProvenPair[], now: number,
): RemoteStatus {
  const [local = '', remote = ''] = key.split(' ')
  const directions = new Set(streams.map(({ direction }) => direction))
  return {
    local,
    remote,
    direction: directions.size > 1 ? 'both' : [...directions][0],
    provenBy: [...new Set(streams.map(({ provenBy }) => provenBy))],
    tls: [...new Set(streams.flatMap(({ tls }) => tls ?? []))],
    waiting: queue?.waiting ?? 0,
    oldestSeconds: queue?.oldest === undefined ? undefined : Math.max(0, Math.floor((now - queue.oldest) / 1000)),
    lastError: queue?.lastError,
  }
}
