/** The run's hold on its load generators: starts them on their cores, gives them their share of a job, adds them up. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Count, Job, Order, Outcome } from './job.ts'

const PROGRAM = join(import.meta.dirname, 'generator.ts')

type Answer = { readonly answer?: unknown, readonly error?: string }

export class Generators {
  readonly #children: readonly ChildProcess[]

  constructor (cores: readonly (number | undefined)[]) {
    this.#children = cores.map(core => {
      const [command, args] = core === undefined
        ? [process.execPath, [PROGRAM]]
        : ['taskset', ['-c', String(core), process.execPath, PROGRAM]]
      return spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    })
  }

  /** Divides the accounts of `job` among the generators, by pairs, and resolves when all are ready. */
  async prepare (job: Job): Promise<void> {
    const share = Math.ceil(job.accounts / this.#children.length / 2) * 2
    await Promise.all(this.#children.map((child, at) => {
      const first = job.first + at * share
      const accounts = Math.min(share, job.first + job.accounts - first)
      const streams = Math.ceil(job.streams / this.#children.length)
      return order(child, { say: 'prepare', job: { ...job, first, accounts, streams } })
    }))
  }

  async start (): Promise<void> {
    await this.#all({ say: 'start' })
  }

  async count (): Promise<Count> {
    const counts = await this.#all({ say: 'count' }) as readonly Count[]
    return counts.reduce((sum, each) => ({ done: sum.done + each.done, cpuSeconds: sum.cpuSeconds + each.cpuSeconds }))
  }

  /** Latencies are those of the first generator: a fixed low rate needs but one. */
  async finish (): Promise<Outcome> {
    const outcomes = await this.#all({ say: 'finish' }) as readonly Outcome[]
    return { ...outcomes[0], faults: outcomes.flatMap(outcome => outcome.faults) }
  }

  end (): void {
    for (const child of this.#children) child.disconnect()
  }

  #all (what: Order): Promise<readonly unknown[]> {
    return Promise.all(this.#children.map(child => order(child, what)))
  }
}

function order (child: ChildProcess, what: Order): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error('a load generator has ended'))
    child.once('exit', ended)
    child.once('message', (message: Answer) => {
      child.off('exit', ended)
      if (message.error === undefined) resolve(message.answer)
      else reject(new Error(message.error))
    })
    child.send(what)
  })
}
