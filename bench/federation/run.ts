/** `npm run bench -- federation`: clients of one server write to those of another, on one core, every way in turn. */
import { grouped } from '../table.ts'
import { weighDomains } from './domains.ts'
import { measureDrain } from './drain.ts'
import { Field, receiverDomain } from './field.ts'
import { FEDERATION_USAGE, readFederationOptions } from './options.ts'
import type { FederationOptions, Kind, LoadName } from './options.ts'
import { markdownTable, textTable } from './table.ts'
import type { Series } from './table.ts'
import { addAccounts, measureWay } from './ways.ts'
import type { Sample } from './ways.ts'

/** `title` names a server with its version. */
export async function runFederation (args: readonly string[], title: (kind: Kind) => string): Promise<void> {
  const options = readFederationOptions(args)
  if (!options) {
    process.stdout.write(FEDERATION_USAGE)
    return
  }
  if (options.drain > 0) return drain(options)
  if (options.domains > 0) return weigh(options)
  const all: Series[] = []
  for (const load of options.loads) all.push(...await inField(options, field => measureLoad(load, field, options)))
  process.stdout.write(`\n${textTable(all)}\n`)
  const titles = { ours: title('ours'), prosody: title('prosody'), ejabberd: title('ejabberd') }
  if (options.markdown) process.stdout.write(`\n${markdownTable(all, titles)}\n`)
}

async function drain (options: FederationOptions): Promise<void> {
  const drained = await inField(options, field => measureDrain(field, options))
  const { queued, arrived, deleted, sender, receiver, faults } = drained
  const [a, b, c, d, e] = [queued, arrived, deleted, sender, receiver].map(figure => grouped(figure, 0))
  process.stdout.write(`
${options.drain} messages for a domain that was away, archived at both ends:
  queued       ${a}/s
  arrived      ${b}/s, from the moment at which it could be found
  deleted      ${c}/s
  sender       ${d}/CPU s while they drained
  receiver     ${e}/CPU s
`)
  for (const fault of new Set(faults)) say(`  WRONG: ${fault}`)
}

async function weigh (options: FederationOptions): Promise<void> {
  const { open, closed } = await inField(options, field => weighDomains(field, options))
  process.stdout.write(`
${options.domains} remote domains that were written to, memory for each:
  with an open stream       ${open.toFixed(1)} KB
  without                   ${closed.toFixed(1)} KB
`)
}

/** Does `work` in a field of its own, which is cleared up afterwards, also when the run is interrupted. */
async function inField<T> ({ serverCore, keep }: FederationOptions, work: (field: Field) => Promise<T>): Promise<T> {
  const field = await Field.make(serverCore)
  const interrupted = (): void => { void field.remove(keep).then(() => process.exit(130)) }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupted)
  try {
    return await work(field)
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupted)
    await field.remove(keep)
  }
}

async function measureLoad (load: LoadName, field: Field, options: FederationOptions): Promise<readonly Series[]> {
  const domains = new Map<string, Kind>()
  for (const way of options.ways) domains.set(`${way.from}.example`, way.from).set(receiverDomain(way), way.to)
  for (const [domain, kind] of domains) {
    say(`${load}: ${domain}, ${2 * options.pairs} accounts`)
    await addAccounts(await field.add(kind, domain, load === 'archived'), options)
  }
  const all = options.ways.map(way => ({ load, way, samples: [] as Sample[] }))
  for (let round = 1; round <= options.rounds; round++) {
    for (const { way, samples } of all) {
      const [sender, receiver] = field.ends(way)
      const what = `${round}/${options.rounds} ${load} ${way.from} to ${way.to}`
      const sample = await measureWay(load, sender, receiver, options).catch((error: Error) => {
        say(`  WRONG: ${what}: ${error.message}`)
      })
      if (sample) samples.push(sample)
      if (sample) report(what, sample)
    }
  }
  return all.filter(({ samples }) => samples.length > 0)
}

function report (what: string, sample: Sample): void {
  const { sender, receiver, rate, senderLoad, receiverLoad, generatorLoad, faults } = sample
  const databases = [sample.senderDatabase, sample.receiverDatabase].map(share => share.toFixed(2)).join(' and ')
  const loads = [senderLoad, receiverLoad, generatorLoad].map(load => load.toFixed(2)).join(' + ')
  say(`${what}: sender ${sender.toFixed(0)}, receiver ${receiver.toFixed(0)}, ${rate.toFixed(0)}/s, cores ${loads}, PostgreSQL ${databases} of it`)
  for (const fault of new Set(faults)) say(`  WRONG: ${fault}`)
}

function say (line: string): void {
  process.stderr.write(`${line}\n`)
}
