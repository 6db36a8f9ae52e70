/**
 * `npm run bench`: Heliograph, Prosody and ejabberd side by side, on one core, in one run. Prints figures and what went
 * wrong on the way; never judges a time. bench/README.md says how to read it.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SharedDatabase } from './database.ts'
import { isArchived, readOptions, USAGE } from './options.ts'
import type { LoadName, Options, ServerName } from './options.ts'
import { ejabberd } from './peers/ejabberd.ts'
import { heliograph } from './peers/heliograph.ts'
import { Peer } from './peers/peer.ts'
import { prosody } from './peers/prosody.ts'
import { accountsNeeded, addAccounts, measureIdle, measureWork } from './rounds.ts'
import type { Sample } from './rounds.ts'
import { markdownTable, textTable } from './table.ts'
import type { Series } from './table.ts'

const KINDS = { ours: heliograph, prosody, ejabberd }

async function main (): Promise<void> {
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
  readonly plain: readonly Peer[]
  readonly archiving: readonly Peer[]
  readonly database: SharedDatabase | undefined
}

async function makeField (options: Options): Promise<Field> {
  const { servers, serverCore, loads } = options
  const database = loads.some(isArchived) ? await SharedDatabase.start(serverCore) : undefined
  return {
    plain: loads.every(isArchived) ? [] : servers.flatMap(name => makePeer(name, options)),
    archiving: database ? servers.flatMap(name => makePeer(name, options, database)) : [],
    database,
  }
}

/** A peer that can't be had is left out, and the run says so. */
function makePeer (name: ServerName, options: Options, database?: SharedDatabase): readonly Peer[] {
  try {
    return [new Peer(KINDS[name], options.serverCore, database)]
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
  load: LoadName, servers: readonly Peer[], options: Options,
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

function report (what: string, { value, pace, latency, memory, faults }: Sample): void {
  const clock = pace ? `, ${pace.rate.toFixed(0)}/s` : ''
  const loads = pace ? `, server ${pace.serverLoad.toFixed(2)}, generator ${pace.generatorLoad.toFixed(2)}` : ''
  const times = latency ? ` ms, p50 ${latency.p50.toFixed(2)} ms, worst ${latency.worst.toFixed(1)} ms` : ''
  const weight = memory ? `, ${(memory.before / 1024).toFixed(0)} MB grew to ${(memory.after / 1024).toFixed(0)} MB` : ''
  say(`${what}: ${value.toFixed(1)}${clock}${loads}${times}${weight}`)
  for (const fault of new Set(faults)) say(`  WRONG: ${fault}`)
}

function print (all: readonly Series[], options: Options): void {
  process.stdout.write(`\n${textTable(all)}\n`)
  const titles = new Map(options.servers.map(name => [name, title(name)]))
  if (options.markdown) process.stdout.write(`\n${markdownTable(all, titles)}\n`)
}

function title (server: ServerName): string {
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
