/** The schema of the configuration, with its defaults. */
import { isIP, isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import { chosen, isMap, leaf, list } from './mistakes.ts'
import type { Setting } from './source.ts'
import { ACCESSES } from '../components/settings.ts'
import { LOG_LEVELS } from '../log.ts'
import { DEFAULT_LIMITS } from '../muc/limits.ts'
import { parseListenAddress } from '../net/addresses.ts'
import type { ListenAddress } from '../net/addresses.ts'
import { parseNetwork, PRIVATE_NETWORKS } from '../net/networks.ts'
import { DEFAULT_PUBSUB_LIMITS } from '../pubsub/limits.ts'
import { DEFAULT_ROSTER_LIMITS } from '../roster/limits.ts'
import type { FederationSettings, HostPort } from '../s2s/settings.ts'
import { Jid } from '../xmpp/jid.ts'

/** An extension's key in the configuration, and the schema of its options. */
export interface Configurable {
  readonly name: string
  readonly config?: z.ZodType | undefined
  readonly isOptIn?: true | undefined
}

export interface Listening extends ListenAddress {
  /** The networks of balancers with the PROXY protocol; empty where clients connect directly. */
  readonly proxyProtocol: readonly string[]
}

/** The default of `listen`. */
export const DEFAULT_LISTEN = { 'client': '0.0.0.0:5222', 'client-tls': '0.0.0.0:5223', 'http': '127.0.0.1:5280' }

// It is a part of Redis keys, behind a hyphen and before a space.
const nodeName = leaf('a name of letters, digits, dots and hyphens',
  value => typeof value === 'string' && /^[a-z\d][a-z\d.-]*$/i.test(value) ? value : undefined)
const flag = leaf('true or false', value => typeof value === 'boolean' ? value : undefined)

function wholeNumber (least: number): z.ZodType<number> {
  return leaf(`a whole number from ${least}`, value => isWhole(value, least, 2 ** 31) ? value : undefined)
}

function isWhole (value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}

function oneOf<const T extends string> (values: readonly T[]): z.ZodType<T> {
  return leaf(list(values), value => values.find(allowed => allowed === value))
}

function oneOrMany<T> (item: z.ZodType<T>): z.ZodType<readonly T[]> {
  return chosen<readonly T[]>(value => Array.isArray(value) ? z.array(item) : item.transform(one => [one]))
}

type Camel<Key> = Key extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Key
type CamelKeys<T> = { readonly [Key in keyof T as Camel<Key>]: T[Key] }

function group<Shape extends z.ZodRawShape> (shape: Shape) {
  return z.strictObject(shape).transform(camelKeys).prefault({} as z.input<z.ZodObject<Shape>>)
}

function camelKeys<T extends object> (value: T): CamelKeys<T> {
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [camel(key), inner])) as CamelKeys<T>
}

function camel (key: string): string {
  return key.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())
}

const address = leaf('ADDRESS:PORT, like 0.0.0.0:5222, localhost:5222 or "[::]:5222"', value =>
  typeof value === 'string' ? parseListenAddress(value) : undefined)

const balancer = leaf('true, false or the address or network of a balancer, like 10.0.0.5 or 10.0.0.0/8', value =>
  typeof value === 'string' && parseNetwork(value) ? value : undefined)

const balancers = chosen<readonly string[]>(value => typeof value === 'boolean'
  ? flag.transform(isOn => isOn ? PRIVATE_NETWORKS : [])
  : oneOrMany(balancer).refine(all => all.length > 0, 'expected at least one address or network, or false'))

const listener = oneOrMany<Listening>(chosen<Listening>(value => typeof value === 'object' && value !== null
  ? z.strictObject({ 'at': address, 'proxy-protocol': balancers.default([]) })
    .transform(({ at, 'proxy-protocol': proxyProtocol }) => ({ ...at, proxyProtocol }))
  : address.transform(at => ({ ...at, proxyProtocol: [] }))))

/** A domain, prepared. */
export const domain = leaf('a domain name, like example.org', value => {
  if (typeof value !== 'string') return
  const jid = Jid.tryParse(value)
  return jid?.isDomain ? jid.domain : undefined
})

const namespace = leaf('an XML namespace, like urn:xmpp:ping', value =>
  typeof value === 'string' && /^[^\s<>'"&]{1,1000}$/.test(value) ? value : undefined)

const hosts = oneOrMany(domain).refine(names => names.length > 0, 'expected at least one domain name')

const trust = oneOf(['certificate', 'dialback'])

const hours = leaf('a number of hours above 0, like 24 or 0.5', value =>
  typeof value === 'number' && value > 0 && value <= 24 * 365 ? value : undefined)

const resolver = leaf<'system' | HostPort>('system or the ADDRESS:PORT of a DNS server, like 127.0.0.1:53', value => {
  if (value === 'system') return value
  const at = typeof value === 'string' ? parseHostPort(value) : undefined
  return at && isIP(at.host) !== 0 ? at : undefined
})

const hostPort = leaf('HOST:PORT, like xmpp.example.org:5269 or "[::1]:5269"', value =>
  typeof value === 'string' ? parseHostPort(value) : undefined)

function parseHostPort (text: string): HostPort | undefined {
  const [, v6, name, digits] = /^(?:\[([^\]]+)\]|([^:[\]/@\s]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (!(port > 0 && port <= 65535)) return undefined
  if (v6 !== undefined) return isIPv6(v6) ? { host: v6, port } : undefined
  return name !== undefined ? { host: name, port } : undefined
}

// RFC 6454 §6.2: in the form of browsers, for comparison.
const origin = leaf('any or an origin, like https://chat.example.org', value => {
  if (typeof value !== 'string' || !/^https?:\/\/[^/]+\/?$/i.test(value) || !URL.canParse(value)) return
  return new URL(value).origin
})

const origins = chosen<'any' | readonly string[]>(value => value === 'any' ? z.literal('any') : oneOrMany(origin))

// XEP-0157 §2: the values of `status-addresses` MUST, of the others SHOULD be URIs.
const contact = oneOrMany(leaf('a URI, like mailto:abuse@example.org or xmpp:abuse@example.org', value =>
  typeof value === 'string' && /^[a-z][a-z0-9+.-]*:/i.test(value) && URL.canParse(value) ? value : undefined))
  .default([])

function urlOr (word: string, schemes: readonly string[], example: string) {
  return leaf(`${word} or ${example}`, value => {
    if (typeof value !== 'string') return
    if (value === word || (URL.canParse(value) && schemes.includes(new URL(value).protocol))) return value
  }).default(word)
}

export type CoreSchema = ReturnType<typeof coreSchema>

/** The schema without the extensions; relative paths start at `folder`. */
export function coreSchema (folder: string) {
  const path = leaf('a path', value => typeof value === 'string' && value !== '' ? resolve(folder, value) : undefined)
  const certificate = { certificate: path.optional(), key: path.optional() }
  return {
    hosts: hosts.default(['localhost']),
    node: nodeName.default('a'),
    data: path.default(resolve(folder, 'data')),
    database: urlOr('embedded', ['postgres:', 'postgresql:'], 'postgres://USER:SECRET@HOST:5432/NAME'),
    sessions: urlOr('memory', ['redis:', 'rediss:'], 'redis://HOST:6379'),
    tls: group({ ...certificate, hosts: z.record(domain, z.strictObject(certificate)).default({}) }),
    listen: group({
      'client': listener.default([]), 'client-tls': listener.default([]), 'server': listener.default([]),
      'server-tls': listener.default([]), 'http': listener.default([]), 'component': listener.default([]),
    }),
    federation: federationOrNot(path),
    auth: group({
      'require-tls': flag.default(true), 'anonymous': flag.default(false),
      'resource-conflict': oneOf(['replace', 'refuse']).default('replace'),
    }),
    registration: group({ 'open': flag.default(false), 'per-address': wholeNumber(0).default(10) }),
    limits: limits(),
    http: group({ origins: origins.default('any') }),
    muc: muc(),
    pubsub: pubsub(),
    contact: group({
      abuse: contact, admin: contact, feedback: contact, sales: contact, security: contact, status: contact,
      support: contact,
    }),
    components: z.record(domain, component).default({}),
    log: group({ level: oneOf(LOG_LEVELS).default('info'), pretty: flag.optional() }),
  }
}

function limits () {
  return group({
    'stanza-bytes': wholeNumber(10_000).default(262_144), // RFC 6120 §13.12: not smaller than 10000 bytes
    'presence-bytes': wholeNumber(10_000).default(16_384),
    'bytes-per-second': wholeNumber(0).default(100_000),
    'streams-per-address': wholeNumber(0).default(200),
    'failed-logins-per-minute': wholeNumber(0).default(10),
    'login-seconds': wholeNumber(1).default(60),
    'idle-seconds': wholeNumber(0).default(600),
    'unread-bytes': wholeNumber(0).default(536_870_912),
    'roster-items': wholeNumber(1).default(DEFAULT_ROSTER_LIMITS.items),
    'roster-bytes': wholeNumber(1).default(DEFAULT_ROSTER_LIMITS.bytes),
  })
}

function muc () {
  return group({
    'create': oneOf(['anyone', 'local', 'nobody']).default(DEFAULT_LIMITS.create),
    'occupants': wholeNumber(1).default(DEFAULT_LIMITS.occupants),
    'members': wholeNumber(1).default(DEFAULT_LIMITS.members),
    'rooms': wholeNumber(0).default(DEFAULT_LIMITS.rooms),
    'rooms-per-owner': wholeNumber(0).default(DEFAULT_LIMITS.roomsPerOwner),
    'invitations-per-minute': wholeNumber(0).default(DEFAULT_LIMITS.invitationsPerMinute),
    'occupant-messages': wholeNumber(0).default(DEFAULT_LIMITS.occupantMessages),
    'room-messages': wholeNumber(0).default(DEFAULT_LIMITS.roomMessages),
    'history': wholeNumber(0).default(DEFAULT_LIMITS.history),
  })
}

function pubsub () {
  return group({
    'create': oneOf(['anyone', 'local', 'nobody']).default(DEFAULT_PUBSUB_LIMITS.create),
    'nodes': wholeNumber(1).default(DEFAULT_PUBSUB_LIMITS.nodes),
    'items': wholeNumber(1).default(DEFAULT_PUBSUB_LIMITS.items),
    'item-bytes': wholeNumber(1).default(DEFAULT_PUBSUB_LIMITS.itemBytes),
    'bytes': wholeNumber(1).default(DEFAULT_PUBSUB_LIMITS.bytes),
    'subscriptions': wholeNumber(1).default(DEFAULT_PUBSUB_LIMITS.subscriptions),
    'affiliations': wholeNumber(1).default(DEFAULT_PUBSUB_LIMITS.affiliations),
  })
}

// Left out: as the listeners say.
function federationOrNot (path: z.ZodType<string>): z.ZodOptional<z.ZodType<FederationSettings | false>> {
  const settings = federation(path)
  return chosen<FederationSettings | false>(value => value === false ? z.literal(false) : settings).optional()
}

/** The settings of `federation`, with their defaults; `path` parses the path of a file. */
export function federation (path: z.ZodType<string>) {
  return group({
    'trust': trust.default('certificate'),
    'allow': oneOrMany(domain).default([]),
    'block': oneOrMany(domain).default([]),
    'give-up-hours': hours.default(24),
    'queue': wholeNumber(1).default(10_000),
    'bytes-per-second': wholeNumber(0).default(1_000_000),
    'stanza-bytes': wholeNumber(10_000).default(524_288), // RFC 6120 §13.12, as for clients
    'resolver': resolver.default('system'),
    'authorities': path.optional(),
    'domains': z.record(domain, z.strictObject({ address: hostPort.optional(), trust: trust.optional() })).default({}),
  })
}

const component = group({
  'secret': leaf('a text of 1 to 1000 bytes', value =>
    typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= 1000 ? value : undefined),
  'privileges': privileges(),
  'delegate': oneOrMany(namespace).default([]),
  'connections': oneOf(['one', 'many']).default('one'),
})

function privileges () {
  return group({
    'roster': oneOf(ACCESSES).default('none'),
    'roster-push': flag.default(true),
    'message': oneOf(['none', 'outgoing']).default('none'),
    'presence': oneOf(['none', 'managed_entity', 'roster']).default('none'),
    'iq': z.record(namespace, oneOf(ACCESSES)).default({}),
  })
}

/** The schema of `extensions`: a key per extension, with its own schema; `false` turns one or all off. */
export function extensionsSchema (extensions: readonly Configurable[]): z.ZodType<Readonly<Record<string, unknown>>> {
  const shape = Object.fromEntries(extensions.map(one => [one.name, extensionSchema(one)]))
  const allOff = Object.fromEntries(extensions.map(one => [one.name, false]))
  const unsaid = Object.fromEntries(extensions.map(one => [one.name, undefined]))
  const named = z.preprocess(given => isMap(given) ? { ...unsaid, ...given } : given, z.strictObject(shape))
  return chosen(value => value === false ? z.literal(false).transform(() => allOff) : named).prefault({})
}

function extensionSchema (
  { config = z.strictObject({}).transform(() => undefined), isOptIn }: Configurable,
): z.ZodType {
  const nothing = config.safeParse(undefined).success ? undefined : {}
  const off = z.union([z.literal(false), z.undefined()]).transform(() => false)
  return chosen(value => value === false || (isOptIn && value === undefined)
    ? off
    : z.preprocess(options => options === undefined || options === true ? nothing : options, strict(config)))
}

function strict (schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodObject ? schema.strict() : schema
}

/** Every key with a value that the environment can set. Components are those of the file: `tree` is its content. */
export function settingsOf (
  core: Readonly<Record<string, z.ZodType>>, extensions: readonly Configurable[], tree?: unknown,
): readonly Setting[] {
  const named = isMap(tree) && isMap(tree['components']) ? Object.keys(tree['components']) : []
  return [
    ...named.flatMap(name => settingsIn(component, ['components', name])),
    ...Object.entries(core).flatMap(([key, schema]) => settingsIn(schema, [key])),
    ...settingsIn(federation(z.string()), ['federation']),
    { path: ['extensions'], schema: z.never() },
    ...extensions.flatMap(({ name, config }) => [
      { path: ['extensions', name], schema: z.never() },
      ...config && shapeOf(config) ? settingsIn(config, ['extensions', name]) : [],
    ]),
  ]
}

function settingsIn (schema: z.ZodType, path: readonly string[]): readonly Setting[] {
  const inner = shapeOf(schema)
  if (!inner) return [{ path, schema }]
  return Object.entries(inner).flatMap(([key, value]) => settingsIn(value, [...path, key]))
}

function shapeOf (schema: unknown): Readonly<Record<string, z.ZodType>> | undefined {
  if (schema instanceof z.ZodObject) return schema.shape
  if (schema instanceof z.ZodPipe) return shapeOf(schema.in)
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) return shapeOf(schema.def.innerType)
}
