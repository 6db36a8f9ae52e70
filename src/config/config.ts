/**
 * The configuration: a YAML file, overridden by the environment. All mistakes are reported at once. Relative paths
 * start at the file's folder.
 */
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { authorityFlaws, certificateFlaws, certificateWarnings } from './certificates.ts'
import { conflictFlaws } from './conflicts.ts'
import { ConfigError, check, isMap } from './mistakes.ts'
import { DEFAULT_LISTEN, coreSchema, extensionsSchema, federation, settingsOf } from './schema.ts'
import type { Configurable, Listening } from './schema.ts'
import { ConfigSource } from './source.ts'
import type { Environment } from './source.ts'
import type { Components } from '../components/settings.ts'
import type { LogLevel } from '../log.ts'
import type { MucLimits } from '../muc/limits.ts'
import type { PubsubLimits } from '../pubsub/limits.ts'
import type { FederationSettings } from '../s2s/settings.ts'

export { ConfigError } from './mistakes.ts'
export type { Mistake } from './mistakes.ts'
export type { Configurable, Listening } from './schema.ts'

export interface CertificateFiles {
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}

export interface TlsConfig extends CertificateFiles {
  /** Certificates of single hosts. */
  readonly hosts: Readonly<Record<string, CertificateFiles>>
}

export interface ListenConfig {
  readonly client: readonly Listening[]
  readonly clientTls: readonly Listening[]
  readonly server: readonly Listening[]
  readonly serverTls: readonly Listening[]
  readonly http: readonly Listening[]
  readonly component: readonly Listening[]
}

export interface AuthConfig {
  readonly requireTls: boolean
  readonly anonymous: boolean
  /** RFC 6120 §7.7.2.2, for a resource in use: whether the existing session is replaced or the new bind refused. */
  readonly resourceConflict: 'replace' | 'refuse'
}

export interface RegistrationConfig {
  readonly open: boolean
  /** New accounts per hour from one address; 0 means no limit. */
  readonly perAddress: number
}

/** 0 means no limit, wherever it is allowed. */
export interface LimitsConfig {
  readonly stanzaBytes: number
  /** The limit for presence, which is broadcast to many. */
  readonly presenceBytes: number
  readonly bytesPerSecond: number
  readonly streamsPerAddress: number
  readonly failedLoginsPerMinute: number
  /** The timeout of the login on a new connection. */
  readonly loginSeconds: number
  /** The time of silence after which a stream is pinged. */
  readonly idleSeconds: number
  /** The bytes that all clients together may leave unread. */
  readonly unreadBytes: number
  readonly rosterItems: number
  readonly rosterBytes: number
}

export interface HttpConfig {
  /** The origins of web pages that may connect. */
  readonly origins: 'any' | readonly string[]
}

/** URIs for XEP-0157. */
export type ContactConfig = Readonly<Record<
  'abuse' | 'admin' | 'feedback' | 'sales' | 'security' | 'status' | 'support', readonly string[]>>

export interface Config {
  /** The path of the configuration file. */
  readonly file: string
  /** Prepared domains, at least one. */
  readonly hosts: readonly string[]
  readonly node: string
  /** An absolute path, like all others. */
  readonly data: string
  /** `embedded`, or a postgres:// URL. */
  readonly database: string
  /** `memory`, or a redis:// URL. */
  readonly sessions: string
  readonly tls: TlsConfig
  readonly listen: ListenConfig
  /** `false` where no other server is talked to. */
  readonly federation: FederationSettings | false
  readonly auth: AuthConfig
  readonly registration: RegistrationConfig
  readonly limits: LimitsConfig
  readonly http: HttpConfig
  readonly muc: MucLimits
  readonly pubsub: PubsubLimits
  readonly contact: ContactConfig
  readonly components: Components
  readonly log: { readonly level: LogLevel, readonly pretty?: boolean | undefined }
  /** The options of each extension, parsed by its schema; `false` where it is off. */
  readonly extensions: Readonly<Record<string, unknown>>
  /** Sentences for the log about valid values that will not have the expected effect. */
  readonly warnings: readonly string[]
}

/** Loads `file`, overridden by `environment`; throws one ConfigError with every mistake. */
export function loadConfig (file: string, environment: Environment, extensions: readonly Configurable[]): Config {
  const folder = dirname(resolve(file))
  const core = coreSchema(folder)
  const source = new ConfigSource(file)
  if (source.tree === undefined) throw new ConfigError(source.mistakes)
  source.setDefault('listen', DEFAULT_LISTEN)
  const strays = source.override(settingsOf(core, extensions, source.tree), environment)
  const schema = z.strictObject({ ...core, extensions: extensionsSchema(extensions) })
  const { result, flaws } = check(schema, source.tree)
  const tree = isMap(source.tree) ? source.tree : {}
  const mistakes = [
    ...flaws,
    ...certificateFlaws(tree['tls'], folder),
    ...authorityFlaws(tree['federation'], folder),
    ...conflictFlaws(core, tree),
  ]
  if (!result || mistakes.length > 0 || source.mistakes.length > 0) {
    throw new ConfigError([...source.mistakes, ...mistakes.map(flaw => source.locate(flaw))])
  }
  const config = { ...result, federation: federationOf(result), file: resolve(file) }
  return { ...config, warnings: [...strays, ...unservedKeys(config), ...certificateWarnings(config)] }
}

/** Where the key is left out, federation is on as soon as a listener for servers is there. */
function federationOf (
  { federation: given, listen }: Pick<Config, 'listen'> & { readonly federation?: Config['federation'] | undefined },
): Config['federation'] {
  if (given !== undefined) return given
  return listen.server.length + listen.serverTls.length > 0 && federation(z.string()).parse({})
}

// Keys that do nothing without another.
function unservedKeys (
  { listen, federation, components }: Pick<Config, 'listen' | 'federation' | 'components'>,
): readonly string[] {
  const isListening = listen.component.length > 0
  const isExpecting = Object.keys(components).length > 0
  const closed = federation === false && listen.server.length + listen.serverTls.length > 0
  return [
    ...closed ? ['federation: is false, nothing listens at listen.server and listen.server-tls'] : [],
    ...isListening && !isExpecting ? ['listen.component: there are no components, nothing listens there'] : [],
    ...isExpecting && !isListening ? ['components: without listen.component none can connect'] : [],
  ]
}
