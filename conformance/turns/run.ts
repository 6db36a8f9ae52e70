/**
 * `npm run turns`: plays the catalogue of worst cases against a process of this repository's server and prints the ten
 * longest turns of its event loop. Ends with 1 when one is longer than the limit, or a case could not be played.
 */
import { parseArgs } from 'node:util'
import { catalogue } from './catalogue.ts'
import { measureAll, middle } from './measure.ts'
import type { Measured } from './measure.ts'
import { longestTurn, table } from './table.ts'

const USAGE = `npm run turns -- [options]
  --limit 20        milliseconds of processor time that one turn may take, the collector's pauses left out
  --times 5         how often each case is played; the one in the middle counts
  --scale 1         with what part of the sessions, contacts and members that there may be
  --only REGEXP     the cases with this in their names
  --list            says what cases there are
  --profile FOLDER  writes a profile of the server there (--cpu-prof)
`

async function main (): Promise<number> {
  const { values } = parseArgs({
    options: {
      limit: { type: 'string', default: '20' },
      times: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      scale: { type: 'string', default: '1' },
      profile: { type: 'string' }, list: { type: 'boolean' }, help: { type: 'boolean' },
    },
  })
  const cases = catalogue.filter(({ name }) => new RegExp(values.only).test(name))
  if (values.help || values.list) {
    process.stdout.write(values.help ? USAGE : cases.map(({ name }) => `${name}\n`).join(''))
    return 0
  }
  const all = await measureAll(cases, {
    times: Number(values.times), scale: Number(values.scale), profiles: values.profile, onMeasured: tell,
  })
  process.stdout.write(`\n${table(all)}\n`)
  const long = all.filter(one => longestTurn(one) > Number(values.limit))
  if (long.length > 0)
    process.stdout.write(`\n${long.length} of ${all.length} cases take more than ${values.limit} ms in one turn\n`)
  return long.length > 0 || all.some(({ faults }) => faults.length > 0) ? 1 : 0
}

function tell (measured: Measured): void {
  const figures = [longestTurn(measured), middle(measured.roundsMs) ?? 0].map(ms => `${ms.toFixed(1).padStart(8)} ms`)
  process.stdout.write(`${figures.join('  ')}  ${measured.name}\n`)
  for (const fault of measured.faults) process.stdout.write(`             ${fault.slice(0, 400)}\n`)
}

process.exitCode = await main()
