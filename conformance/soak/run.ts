/**
 * `npm run soak`: people come and go, talk, and do their worst for some minutes; what the server holds when all have
 * gone is what it held when they had gone before. Ends with 1 where it is not.
 */
import { parseArgs } from 'node:util'
import { PASSWORD } from '../../test/faults/line.ts'
import { register } from '../runner/register.ts'
import { jidOf, Person } from './person.ts'
import type { Tally } from './person.ts'
import { compare, table, weigh } from './scales.ts'
import type { Weights } from './scales.ts'
import { RESUME_SECONDS, Site } from './site.ts'

const USAGE = `npm run soak -- [options]
  --minutes 30       how long people are at it; --warm-up 10 minutes before that, so that caches are full at the beginning
  --rounds 1         so many times as long, weighed after each: shows whether what grows levels off; the last one decides
  --nodes 1          3: so many nodes with a Redis
  --people 200       accounts; --rate 25 things done a second by all of them together
  --snapshots NAME   writes heap snapshots of each node, at the beginning and at the end, to files that begin with this
`
/** People who do something at the same time where nothing but the end of it matters. */
const AT_ONCE = 10
/** What a session that was cut off leaves, besides the time for which it waits. */
const GRACE_MS = 5_000

interface Options {
  readonly minutes: number
  readonly warmUp: number
  readonly rounds: number
  readonly nodes: number
  readonly people: number
  readonly rate: number
  readonly snapshots: string | undefined
}

async function main (): Promise<number> {
  const { values } = parseArgs({
    options: {
      'minutes': { type: 'string', default: '30' }, 'warm-up': { type: 'string', default: '10' },
      'rounds': { type: 'string', default: '1' }, 'nodes': { type: 'string', default: '1' },
      'people': { type: 'string', default: '200' }, 'rate': { type: 'string', default: '25' },
      'snapshots': { type: 'string' }, 'help': { type: 'boolean' },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  return await soak({
    minutes: Number(values.minutes), warmUp: Number(values['warm-up']), rounds: Number(values.rounds),
    nodes: Number(values.nodes), people: Number(values.people), rate: Number(values.rate),
    snapshots: values.snapshots,
  })
}

async function soak (options: Options): Promise<number> {
  const site = await Site.start(options.nodes)
  try {
    await inParallel(options.people, number =>
      register({ port: site.ports[number % site.ports.length] ?? 0, tls: false }, {
        jid: jidOf(number),
        password: PASSWORD,
      }),
    )
    const weighings = [await round(site, options, options.warmUp, 'begin')]
    for (let number = 1; number <= options.rounds; number++) {
      weighings.push(await round(site, options, options.minutes, `round ${number}`))
    }
    const weighed = compare(weighings)
    const off = weighed.filter(({ verdict }) => verdict === 'off')
    process.stdout.write(`\n${table(weighed)}\n\n${off.length === 0 ? 'everything ended where it began' : `${off.length} did not end where they began`}\n`)
    return off.length === 0 && site.isRunning ? 0 : 1
  } finally {
    for (const [line, count] of countLines(site.log)) process.stdout.write(`${count} × ${line.slice(0, 300)}\n`)
    await site.end()
  }
}

/** Lets people live for so long, waits until nothing is left of them, and weighs. */
async function round (site: Site, options: Options, minutes: number, name: string): Promise<Weights> {
  const tally: Tally = { done: 0, logins: 0, resumed: 0, results: 0, unanswered: 0, errors: new Map() }
  const pace = { restMs: options.people / options.rate * 1000 }
  const people = Array.from(
    { length: options.people },
    (_, number) => new Person(number, options.people, site.ports, pace, tally),
  )
  const living = people.map(person => person.live())
  await pause(minutes * 60_000)
  for (const person of people) person.end()
  await Promise.all(living)
  say(
    `${tally.logins} logins, ${tally.resumed} resumed, ${tally.done} things done, ${tally.results} requests answered, ${tally.unanswered} not; errors: ` +
    `${[...tally.errors].map(([condition, count]) => `${count} ${condition}`).join(', ')}`)
  await pause(RESUME_SECONDS * 1000 + GRACE_MS)
  await inParallel(people.length, async number => { await people[number]?.tidyUp() })
  await pause(RESUME_SECONDS * 1000 + GRACE_MS)
  say(`weighed: ${name}`)
  return weigh(site, options.snapshots === undefined ? undefined : `${options.snapshots}-${name.replace(' ', '-')}`)
}

async function inParallel (count: number, task: (number: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, async () => {
    while (next < count) await task(next++)
  }))
}

function pause (ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}

function say (what: string): void {
  process.stdout.write(`${new Date().toTimeString().slice(0, 8)}  ${what}\n`)
}

/** What was logged, each sort once. */
function countLines (log: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const line of log) {
    const sort = line.replace(/"time":"[^"]*",?/, '').replace(/\d+/g, 'N')
    counts.set(sort, (counts.get(sort) ?? 0) + 1)
  }
  return counts
}

process.exitCode = await main()
