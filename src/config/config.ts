/**
 * The configuration: reads the YAML file, then the environment over it, and says all that is wrong at once. Paths in it
 * start from the folder that the file is in.
 */
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { certificateFlaws, certificateWarnings } from './certificates.ts'
import { conflictFlaws } from './conflicts.ts'
import { ConfigError, check, isMap } from './mistakes.ts'
import { DEFAULT_LISTEN, coreSchema, extensionsSchema, settingsOf } from './schema.ts'
import type { Configurable, Listening } from './schema.ts'
import { ConfigSource } from './source.ts'
import type { Environment } from './source.ts'
import type { LogLevel } from '../log.ts'
import type { MucLimits } from '../muc/limits.ts'

export { ConfigError } from './mistakes.ts'
export type { Mistake } from './mistakes.ts'
export type { Configurable, Listening } from './schema.ts'

export interface CertificateFiles {
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}

export interface TlsConfig extends CertificateFiles {
  /** Certificates of their own for some hosts. */
  readonly hosts: Readonly<Record<string, CertificateFiles>>
}

export interface ListenConfig {
  readonly client: readonly Listening[]
  readonly clientTls: readonly Listening[]
  readonly server: readonly Listening[]
  readonly http: readonly Listening[]
  readonly component: readonly Listening[]
}

export interface AuthConfig {
  readonly requireTls: boolean
  readonly anonymous: boolean
  /** Who gives way when a resource is bound that is in use: the session that has it, or the one that asks. */
  readonly resourceConflict: 'replace' | 'refuse'
}

export interface RegistrationConfig {
  readonly open: boolean
  /** New accounts an hour from one address; 0: no limit. */
  readonly perAddress: number
}

/** 0 is no limit wherever it is allowed. */
export interface LimitsConfig {
  readonly stanzaBytes: number
  /** The same for presence, which many are sent unasked. */
  readonly presenceBytes: number
  readonly bytesPerSecond: number
  readonly streamsPerAddress: number
  readonly failedLoginsPerMinute: number
  /** Until when a new connection must have logged in. */
  readonly loginSeconds: number
  /** After how long a silence a stream is asked whether it is still there. */
  readonly idleSeconds: number
  /** What all clients together may leave unread. */
  readonly unreadBytes: number
  readonly rosterItems: number
  readonly rosterBytes: number
}

export interface HttpConfig {
  /** Which pages' scripts may connect, by their origins. */
  readonly origins: 'any' | readonly string[]
}

/** XEP-0157: URIs. */
export type ContactConfig = Readonly<Record<
  'abuse' | 'admin' | 'feedback' | 'sales' | 'security' | 'status' | 'support', readonly string[]>>

export interface Config {
  /** The file that it was read from. */
  readonly file: string
  /** Prepared domains, at least one. */
  readonly hosts: readonly string[]
  readonly node: string
  /** An absolute path, as are all others. */
  readonly data: string
  /** `embedded`, or a postgres:// URL. */
  readonly database: string
  /** `memory`, or a redis:// URL. */
  readonly sessions: string
  readonly tls: TlsConfig
  readonly listen: ListenConfig
  readonly auth: AuthConfig
  readonly registration: RegistrationConfig
  readonly limits: LimitsConfig
  readonly http: HttpConfig
  readonly muc: MucLimits
  readonly contact: ContactConfig
  readonly log: { readonly level: LogLevel, readonly pretty?: boolean | undefined }
  /** What each extension's own schema made of its options; `false` where it is off. */
  readonly extensions: Readonly<Record<string, unknown>>
  /** What is no mistake, yet will not do what somebody may expect: sentences for the log. */
  readonly warnings: readonly string[]
}

/** The configuration in `file`, under the variables of `environment`; throws one ConfigError with every mistake. */
export function loadConfig (file: string, environment: Environment, extensions: readonly Configurable[]): Config {
  const folder = dirname(resolve(file))
  const core = coreSchema(folder)
  const source = new ConfigSource(file)
  if (source.tree === undefined) throw new ConfigError(source.mistakes)
  source.setDefault('listen', DEFAULT_LISTEN)
  const strays = source.override(settingsOf(core, extensions), environment)
  const schema = z.strictObject({ ...core, extensions: extensionsSchema(extensions) })
  const { result, flaws } = check(schema, source.tree)
  const tree = isMap(source.tree) ? source.tree : {}
  const mistakes = [...flaws, ...certificateFlaws(tree['tls'], folder), ...conflictFlaws(core, tree)]
  if (!result || mistakes.length > 0 || source.mistakes.length > 0) {
    throw new ConfigError([...source.mistakes, ...mistakes.map(flaw => source.locate(flaw))])
  }
  const warnings = [...strays, ...unservedKeys(result), ...certificateWarnings(result.tls, result.hosts)]
  return { ...result, file: resolve(file), warnings }
}

// Keys of parts that are still to come.
function unservedKeys ({ listen }: Pick<Config, 'listen'>): readonly string[] {
  return [
    ...listen.server.length > 0 ? ['listen.server: other servers are not served yet, nothing listens there'] : [],
    ...listen.component.length > 0 ? ['listen.component: components are not served yet, nothing listens there'] : [],
  ]
}
