/** The archive's configuration, for all hosts and per host. */
import { z } from 'zod'
import { Jid } from '../../src/extension/api.ts'
import type { Retention } from './retention.ts'

const DAYS = /^([1-9]\d{0,4}) days?$/

const days = z.string().regex(DAYS).transform((text): Retention => ({ days: Number(DAYS.exec(text)?.[1]) }))

const retention = z.union([z.enum(['forever', 'until-delivered']), days], {
  error: "expected forever, until-delivered or a number of days, as in '30 days'",
})

const roomRetention = z.union([z.literal('forever'), days], {
  error: "expected forever or a number of days, as in '30 days'",
})

const hostName = z.string().transform((name, context) => {
  const jid = Jid.tryParse(name)
  if (jid?.isDomain) return jid.domain
  context.issues.push({ code: 'custom', message: 'expected a domain name, like example.org', input: name })
  return z.NEVER
})

export const schema = z.strictObject({
  /** Retention of messages: for ever, `N days`, or until a device has them. */
  retention: retention.default('forever'),
  /** Retention of rooms' messages: for ever, or `N days`. */
  rooms: roomRetention.default('forever'),
  /** Whether users can search the text of their messages. */
  search: z.boolean().default(false),
  /** Seconds for which messages wait for the database before their senders get an error. */
  patience: z.number().min(1).default(10),
  /** What holds instead for some hosts. */
  hosts: z.record(hostName, z.strictObject({
    retention: retention.optional(), rooms: roomRetention.optional(), search: z.boolean().optional(),
  }).prefault({})).default({}),
}).prefault({})

export type Options = z.infer<typeof schema>

/** How long each of the hosts keeps messages. */
export function retentionOf (
  hosts: readonly string[],
  { retention, hosts: own }: Options,
): ReadonlyMap<string, Retention> {
  return new Map(hosts.map(host => [host, own[host]?.retention ?? retention]))
}

/** How long the rooms of each of the hosts keep messages, in the order of the hosts. */
export function roomRetentionOf (hosts: readonly string[], { rooms, hosts: own }: Options): readonly Retention[] {
  return hosts.map(host => own[host]?.rooms ?? rooms)
}

/** Those of the hosts whose users can search. */
export function searchable (hosts: readonly string[], { search, hosts: own }: Options): readonly string[] {
  return hosts.filter(host => own[host]?.search ?? search)
}
