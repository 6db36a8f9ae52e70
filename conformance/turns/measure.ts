/** Plays worst cases against one server and says what the longest turn of each was. */
import { Client } from './client.ts'
import type { Turn } from './gauge.ts'
import { MeasuredServer } from './server.ts'
import { Setting } from './setting.ts'
import type { Attack, Case } from './setting.ts'

export interface Measured {
  readonly name: string
  /** The longest turn each time it was played, shortest first. */
  readonly turns: readonly Turn[]
  /** The longest round of the event loop, the same. */
  readonly roundsMs: readonly number[]
  /** Pings of somebody else that were answered while it went on. */
  readonly pings: number
  /** What went wrong, if anything: a case that could not be played, or what the server warned of. */
  readonly faults: readonly string[]
}

export interface Options {
  /** How often each case is played. */
  readonly times: number
  /** What part of the sessions and accounts that cases ask for there are; stanzas are as large as ever. */
  readonly scale?: number
  readonly profiles?: string | undefined
  readonly onMeasured?: (measured: Measured) => void
}

const NOTHING: Turn = { ms: 0, withGcMs: 0, by: '' }
/** With a case that is prepared, or played once. */
const PATIENCE_MS = 180_000

/** One after the other; the server is started anew where a case has ended it. */
export async function measureAll (cases: readonly Case[], options: Options): Promise<readonly Measured[]> {
  const all: Measured[] = []
  let server = await MeasuredServer.start(options.profiles)
  try {
    for (const [index, one] of cases.entries()) {
      const measured = await measure(server, one, new Setting(server, `c${index}-`, options.scale ?? 1), options.times)
      all.push(measured)
      options.onMeasured?.(measured)
      if (server.isRunning) continue
      await server.end()
      server = await MeasuredServer.start(options.profiles)
    }
  } finally {
    await server.end()
  }
  return all
}

async function measure (
  server: MeasuredServer,
  { name, prepare }: Case,
  setting: Setting,
  times: number,
): Promise<Measured> {
  const turns: Turn[] = []
  const roundsMs: number[] = []
  const faults: string[] = []
  let pings = 0
  try {
    const bystander = await inTime(Bystander.enter(server, setting.local('bystander')))
    const attack = await inTime(prepare(setting))
    for (let round = 0; round < times; round++) {
      const report = await server.measure(() => inTime(play(attack, round, bystander)))
      turns.push(report.turns[0] ?? NOTHING)
      roundsMs.push(report.longestRoundMs)
    }
    pings = await bystander.leave()
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error))
  }
  await setting.end()
  faults.push(...server.log())
  turns.sort((one, other) => one.ms - other.ms)
  roundsMs.sort((one, other) => one - other)
  return { name, turns, roundsMs, pings, faults }
}

/** Of what was measured several times and sorted, what stands in the middle: a busy machine does not move it much. */
export function middle<T> (sorted: readonly T[]): T | undefined {
  return sorted[Math.floor(sorted.length / 2)]
}

async function play (attack: Attack, round: number, bystander: Bystander): Promise<void> {
  bystander.begin()
  try {
    await attack(round)
  } finally {
    await bystander.stop()
  }
}

async function inTime<T> (work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => { late.reject(new Error(`not done after ${PATIENCE_MS / 1000} s`)) }, PATIENCE_MS)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Somebody whom the attack is not about, and who asks the server something all the time. */
class Bystander {
  readonly #client: Client
  #pings = 0
  #isAsking = false
  #asking: Promise<void> = Promise.resolve()

  private constructor (client: Client) {
    this.#client = client
  }

  static async enter (server: MeasuredServer, local: string): Promise<Bystander> {
    const client = await Client.open(server)
    await client.register(local)
    await client.authenticate(local)
    await client.bind('main')
    return new Bystander(client)
  }

  begin (): void {
    this.#isAsking = true
    this.#asking = this.#ask()
    this.#asking.catch(() => {}) // `stop` tells
  }

  /** Resolves when the last has been answered; rejects where one was not. */
  async stop (): Promise<void> {
    this.#isAsking = false
    await this.#asking
  }

  async leave (): Promise<number> {
    await this.#client.close()
    return this.#pings
  }

  async #ask (): Promise<void> {
    do {
      await this.#client.ping()
      this.#pings++
      await new Promise(resolve => { setTimeout(resolve, 5) })
    } while (this.#isAsking)
  }
}
