/**
 * Opens everything of a server but its sockets, in order: the data folder, the database with migrations applied, the
 * cluster, the core with its extensions. Used by the server, and by commands while none runs.
 */
import { extensions } from '../../extensions/index.ts'
import type { Config } from '../config/config.ts'
import { joinCluster } from '../cluster/cluster.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { serveCluster } from './cluster-handlers.ts'
import { createCore } from './core.ts'
import type { Core, Loaded } from './core.ts'
import { Federation } from './federation.ts'
import type { Logger } from '../log.ts'
import { Streams } from '../s2s/streams.ts'
import { lockDataFolder } from '../storage/data-lock.ts'
import type { Database } from '../storage/database.ts'
import { startEmbedded } from '../storage/embedded.ts'
import { explainFullDisk } from '../storage/full-disk.ts'
import { migrate } from '../storage/migrate.ts'
import { openPostgres } from '../storage/postgres.ts'
import type { PostgresDatabase, PostgresOptions } from '../storage/postgres.ts'
import { READING_CONNECTIONS, READING_MS } from '../storage/reading.ts'

/**
 * Connections to the database, separate for each kind of work, so that large reads delay neither messages nor logins.
 * Messages are written through one connection at a time; the second is for when the first one hangs.
 */
const MESSAGE_CONNECTIONS = 2
const CONNECTIONS = 3

/** Disposal closes in reverse order: extensions, cluster, database, the data folder's lock. */
export interface OpenCore extends AsyncDisposable {
  readonly core: Core
  readonly db: Database
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster: Cluster | undefined
  /** Undefined where no other server is talked to. */
  readonly federation: Federation | undefined
}

/** Rejects with a sentence for the administrator when a part fails to open, and leaves nothing open then. */
export async function openCore (config: Config, log: Logger): Promise<OpenCore> {
  try {
    return await openAll(config, log)
  } catch (error) {
    throw explainFullDisk(error, config.data)
  }
}

async function openAll (config: Config, log: Logger): Promise<OpenCore> {
  await using opening = new AsyncDisposableStack()
  const data = opening.adopt(await lockDataFolder(config.data), folder => folder.release())
  const embedded = config.database === 'embedded'
    ? opening.adopt(await startEmbedded(data, log), postgres => postgres.stop())
    : undefined
  const url = embedded?.url ?? config.database
  const open = async (options: Omit<PostgresOptions, 'log'>): Promise<PostgresDatabase> =>
    opening.adopt(await connect(url, { ...options, log }), database => database.close())
  const db = await open({ poolSize: CONNECTIONS })
  await migrate(db)
  const pools = {
    messages: await open({ poolSize: MESSAGE_CONNECTIONS }),
    reading: await open({ poolSize: READING_CONNECTIONS, statementMs: READING_MS }),
  }
  const cluster = config.sessions === 'memory'
    ? undefined
    : opening.adopt(await joinCluster(config.sessions, db, config.node, log), joined => joined.leave())
  const streams = new Streams()
  const core = opening.adopt(await createCore({
    hosts: config.hosts, db, pools, log, cluster,
    extensions: loadedExtensions(config), known: extensions.map(one => one.name),
    components: config.components, contact: config.contact, muc: config.muc,
    pubsub: config.pubsub, serverStreams: streams,
    presenceBytes: config.limits.presenceBytes,
    roster: { items: config.limits.rosterItems, bytes: config.limits.rosterBytes },
  }), loaded => loaded.unload())
  if (!cluster) await core.rooms.removeTemporary()
  const { federation: settings, components } = config
  const federation = settings === false && Object.keys(components).length === 0 ? undefined : opening.adopt(
    new Federation({ settings, components, core, streams, db, messageDb: pools.messages, log, cluster }),
    begun => begun.stop())
  if (cluster) {
    opening.defer(serveCluster(cluster, core, log, { remotes: federation?.remotes }))
    cluster.bus.open()
  }
  const held = opening.move()
  return { core, db, cluster, federation, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

async function connect (url: string, options: PostgresOptions): Promise<PostgresDatabase> {
  try {
    return await openPostgres(url, options)
  } catch (error) { // the driver's: it doesn't mention the database
    throw new Error(`database: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** The extensions that are on, with their options. */
export function loadedExtensions (config: Config): readonly Loaded[] {
  const sections: Readonly<Record<string, unknown>> = { ...config }
  return extensions.flatMap(extension => {
    const options = config.extensions[extension.name]
    if (options === false) return []
    const { section } = extension
    return [{ extension, options: section === undefined ? options : sections[section] }]
  })
}
