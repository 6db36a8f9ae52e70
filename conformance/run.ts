/**
 * Plays conformance scripts. Starts the server, gives each script accounts of its own, prints a line for each and a
 * summary; exit code 1 when a script failed that does not say so itself.
 */
import { globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { keyPair } from './peers/server.ts'
import { OtherServers } from './runner/other-servers.ts'
import { playScript } from './runner/play.ts'
import type { Account } from './runner/register.ts'
import { parseScript, type Script } from './runner/script.ts'
import { isServer, SERVERS, withServer, type ServerName } from './servers.ts'
import { writeTable, type Outcome } from './table.ts'

interface ScriptFile {
  readonly file: string
  readonly script: Script
}

const HERE = import.meta.dirname
/** Scripts that are played at the same time: most of what they do is waiting. */
const AT_ONCE = 4

const USAGE = `npm run conformance -- [files] [options]   (all scripts when none is named)
  --against ours    or prosody, ejabberd
  --nodes 1         ours as so many nodes, each client of a script at another one
  --tls             over STARTTLS
  --table           writes the server's column of RESULTS.md`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string', default: 'ours' },
    tls: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
    nodes: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})
const NODES = Number(options.nodes)
if (options.help) console.log(USAGE)
else if (isServer(options.against) && (NODES === 1 || (NODES > 1 && options.against === 'ours')))
  process.exitCode = await run(options.against)
else {
  console.error(`--against ${options.against} --nodes ${options.nodes}? It is one of ${SERVERS.join(', ')}, and ours may have many.`)
  process.exitCode = 2
}

async function run (server: ServerName): Promise<number> {
  const files = positionals.length > 0
    ? positionals.map(file => relative(HERE, resolve(file)))
    : globSync('{core,extensions,federation}/**/*.scs', { cwd: HERE }).sort()
  const scripts = files.map((file, index) => ({ file, script: readScript(file, index) }))
  const federation = scripts.filter(({ script }) => script.strangers.length > 0)
  const others = scripts.filter(({ script }) => script.strangers.length === 0)
  const core = others.filter(({ script }) => script.needs.length === 0)
  const extensions = others.filter(({ script }) => script.needs.length > 0)
  const outcomes = [
    ...await playAll(server, core), ...await playAll(server, extensions), ...await playFederation(server, federation),
  ]
  if (options.table) writeTable(join(HERE, 'RESULTS.md'), server, outcomes)
  return summarise(server, outcomes)
}

/**
 * Each script plays with accounts, rooms and other domains that no other has: romeo@localhost becomes romeo.7@localhost
 * throughout, and verona.example verona-7.example.
 */
function readScript (file: string, index: number): Script {
  const text = readFileSync(join(HERE, file), 'utf8')
  try {
    const { cast, strangers } = parseScript(text)
    const names = cast.map(({ jid }) => jid.slice(0, jid.indexOf('@'))).join('|')
    const domains = strangers.map(({ domain }) => domain.replace(/\..*/, '')).join('|')
    const mentions = new RegExp(
      `(?<![\\w.-])(?:(?:${names})(?=@)|\\w+(?=@conference\\.))|(?<=<username>)(?:${names})(?=<)`,
      'gi',
    )
    const own = text.replaceAll(mentions, `$&.${index}`)
    return parseScript(domains === '' ? own : own.replaceAll(new RegExp(`\\b(?:${domains})(?=\\.example)`, 'g'), `$&-${index}`))
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function playFederation (server: ServerName, scripts: readonly ScriptFile[]): Promise<readonly Outcome[]> {
  if (scripts.length === 0) return []
  await using others = await OtherServers.start(keyPair())
  return await playAll(server, scripts, others)
}

async function playAll (
  server: ServerName, scripts: readonly ScriptFile[], others?: OtherServers,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  if (scripts.length === 0) return outcomes
  const needs = new Set(scripts.flatMap(({ script }) => script.needs))
  const played = { name: server, nodes: NODES, tls: options.tls, dns: others?.dns }
  await withServer(played, [...needs], accountsOf(scripts), async nodes => {
    const left = scripts.values()
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (const { file, script } of left) {
        const problem = await playScript(script, nodes, others)
          .then(() => undefined, (error: unknown) => error instanceof Error ? error.message : String(error))
        const outcome = { file, script, problem }
        outcomes.push(outcome)
        report(server, outcome)
      }
    }))
  })
  return outcomes
}

/** Where two characters share an account, the first one's password is the account's. */
function accountsOf (scripts: readonly ScriptFile[]): readonly Account[] {
  const accounts = new Map<string, Account>()
  for (const { jid, password } of scripts.flatMap(({ script }) => script.cast)) {
    if (!accounts.has(jid)) accounts.set(jid, { jid, password })
  }
  return [...accounts.values()]
}

function report (server: ServerName, { file, script, problem }: Outcome): void {
  const known = script.fails.get(server)
  if (problem === undefined) console.log(`${known === undefined ? 'ok   ' : 'FIXED'} ${file}`)
  else if (known === undefined) console.log(`FAIL  ${file}: ${script.rule}: ${script.title}\n      ${problem}`)
  else console.log(`known ${file}: ${known}`)
}

function summarise (server: ServerName, outcomes: readonly Outcome[]): number {
  const failed = outcomes.filter(({ problem }) => problem !== undefined)
  const unexpected = failed.filter(({ script }) => script.fails.get(server) === undefined)
  console.log(`${server}: ${outcomes.length} scripts, ${outcomes.length - failed.length} passed, ` +
    `${failed.length - unexpected.length} failed as they say, ${unexpected.length} failed`)
  return unexpected.length > 0 ? 1 : 0
}
