/**
 * `npm run bench`: Heliograph, Prosody and ejabberd side by side, on one core, in one run. Prints figures and what went
 * wrong on the way; never judges a time. bench/README.md says how to read it.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SharedDatabase } from './database.ts'
import { isArchived, nodesIn, readOptions, USAGE } from './options.ts'
import type { LoadName, Options, ServerName } from './options.ts'
import { clusterTable } from './cluster-table.ts'
import { runFederation } from './federation/run.ts'
import { ejabberd } from './peers/ejabberd.ts'
import { heliograph } from './peers/heliograph.ts'
import { Nodes } from './peers/nodes.ts'
import { Peer } from './peers/peer.ts'
import type { Server } from './peers/peer.ts'
import { prosody } from './peers/prosody.ts'
import { accountsNeeded, addAccounts, measureIdle, measureWork } from './rounds.ts'
import type { Sample } from './rounds.ts'
import { markdownTable, textTable } from './table.ts'
import type { Series } from './table.ts'

const KINDS = [heliograph, prosody, ejabberd]

async function main (): Promise<void> {
  const [first, ...rest] = process.argv.slice(2)
  if (first === 'federation') return runFederation(rest, title)
  const options = readOptions(process.argv.slice(2))
  if (!options) {
    process.stdout.write(USAGE)
    return
  }
  const field = await makeField(options)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => { void clearUp(field, options).then(() => process.exit(130)) })
  }
  try {
    print(await measureAll(field, options), options)
  } finally {
    await clearUp(field, options)
  }
}

/** Who takes part: each server as one that keeps nothing, as one that archives, or as both. */
interface Field {
  readonly plain: readonly Server[]
  readonly archiving: readonly Server[]
  readonly database: SharedDatabase | undefined
}

async function makeField (options: Options): Promise<Field> {
  const { servers, serverCore, loads } = options
  const hasNodes = servers.some(name => nodesIn(name) !== undefined)
  const database = hasNodes || loads.some(isArchived) ? await SharedDatabase.start(serverCore) : undefined
  return {
    plain: loads.every(isArchived) ? [] : servers.flatMap(name => makeServer(name, options, database, false)),
    archiving: loads.some(isArchived) ? servers.flatMap(name => makeServer(name, options, database, true)) : [],
    database,
  }
}

/** A server that can't be had is left out, and the run says so. */
function makeServer (
  name: ServerName, { serverCore }: Options, database: SharedDatabase | undefined, archives: boolean,
): readonly Server[] {
  try {
    const nodes = nodesIn(name)
    if (nodes !== undefined && database) return [new Nodes(nodes, serverCore, database, archives)]
    return KINDS.filter(kind => kind.name === name)
      .map(kind => new Peer(kind, serverCore, archives ? database : undefined))
  } catch (error) {
    say(`without ${name}: ${error instanceof Error ? error.message : String(error)}`)
    return []
  }
}

async function clearUp ({ plain, archiving, database }: Field, { keep }: Options): Promise<void> {
  for (const server of [...plain, ...archiving]) {
    await server.stop()
    discard(`${server.name}'s data`, server.folder, keep)
  }
  await database?.stop()
  if (database) discard('the archives', database.folder, keep)
}

function discard (what: string, folder: string, keep: boolean): void {
  if (keep) say(`${what}: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}

async function measureAll ({ plain, archiving }: Field, options: Options): Promise<readonly Series[]> {
  for (const server of [...plain, ...archiving]) {
    say(`${server.name}: ${accountsNeeded(options)} accounts`)
    await addAccounts(server, options)
  }
  const all = options.loads.flatMap(load => options.servers.map(server => {
    const samples: Sample[] = []
    return { load, server, samples }
  }))
  for (let round = 1; round <= options.rounds; round++) {
    for (const load of options.loads) {
      const samples = await measureRound(load, isArchived(load) ? archiving : plain, options)
      for (const series of all.filter(each => each.load === load)) {
        const sample = samples.get(series.server)
        if (sample) series.samples.push(sample)
      }
      for (const [server, sample] of samples) report(`${round}/${options.rounds} ${load} ${server}`, sample)
    }
  }
  return all.filter(({ samples }) => samples.length > 0)
}

async function measureRound (
  load: LoadName, servers: readonly Server[], options: Options,
): Promise<ReadonlyMap<ServerName, Sample>> {
  if (load === 'idle' || load === 'idle-tls') return measureIdle(load === 'idle-tls', servers, options)
  const samples = new Map<ServerName, Sample>()
  for (const server of servers) {
    const sample = await measureWork(load, server, options).catch((error: Error) => {
      say(`  WRONG: ${load} on ${server.name}: ${error.message}`)
    })
    if (sample) samples.set(server.name, sample)
  }
  return samples
}

function report (what: string, { value, pace, latency, crossing, memory, faults }: Sample): void {
  const clock = pace ? `, ${pace.rate.toFixed(0)}/s` : ''
  const loads = pace ? `, server ${pace.serverLoad.toFixed(2)}, generator ${pace.generatorLoad.toFixed(2)}` : ''
  const shares = pace
    ? `, Redis ${pace.redisShare.toFixed(2)} and PostgreSQL ${pace.postgresShare.toFixed(2)} of it`
    : ''
  const way = crossing ? `; between nodes p50 ${crossing.p50.toFixed(2)} ms, p99 ${crossing.p99.toFixed(1)} ms` : ''
  const times = latency ? ` ms, p50 ${latency.p50.toFixed(2)} ms, worst ${latency.worst.toFixed(1)} ms` : ''
  const weight = memory
    ? `, ${(memory.before / 1024).toFixed(0)} MB grew to ${(memory.after / 1024).toFixed(0)} MB`
    : ''
  say(`${what}: ${value.toFixed(1)}${clock}${loads}${shares}${times}${way}${weight}`)
  for (const fault of new Set(faults)) say(`  WRONG: ${fault}`)
}

function print (all: readonly Series[], options: Options): void {
  process.stdout.write(`\n${textTable(all)}\n`)
  if (options.servers.some(name => nodesIn(name) !== undefined)) process.stdout.write(`\n${clusterTable(all)}\n`)
  const titles = new Map(options.servers.map(name => [name, title(name)]))
  if (options.markdown) process.stdout.write(`\n${markdownTable(all, titles)}\n`)
}

function title (server: ServerName): string {
  const nodes = nodesIn(server)
  if (nodes !== undefined) return nodes === 1 ? 'one node with Redis' : `${nodes} nodes`
  if (server === 'ours') {
    const file = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')
    return `Heliograph ${(JSON.parse(file) as { version: string }).version}`
  }
  const version = spawnSync('dpkg-query', ['-W', '-f', '${Version}', server], { encoding: 'utf8' }).stdout
  return `${server} ${version.replace(/-.*/, '')}`
}

function say (line: string): void {
  process.stderr.write(`${line}\n`)
}

await main().catch((error: Error) => {
  say(error.message)
  process.exitCode = 1
})
