/** A load generator: a process of its own, on another core than the servers, that does one job for the run. */
import type { Count, Job, Load, Order } from './job.ts'
import { inParallel } from './job.ts'
import { chat } from './loads/chat.ts'
import { contactsNodes } from './loads/contacts-nodes.ts'
import { idle } from './loads/idle.ts'
import { latency } from './loads/latency.ts'
import { login } from './loads/login.ts'
import { pubsub, pubsubItems } from './loads/nodes.ts'
import { room, roomLatency } from './loads/room.ts'
import { account, register } from './negotiate.ts'

const LOADS: Readonly<Record<Job['work'], (job: Job) => Load>> = {
  chat, idle, latency, login, room, 'room-latency': roomLatency,
  pubsub, 'pubsub-items': pubsubItems, 'pubsub-login': contactsNodes, register: registration,
}

let load: Load | undefined

process.on('message', (order: Order) => {
  obey(order).then(
    answer => process.send?.({ answer }),
    (error: Error) => process.send?.({ error: error.message }),
  )
})
process.on('disconnect', () => process.exit())

async function obey (order: Order): Promise<unknown> {
  if (order.say === 'prepare') {
    load = LOADS[order.job.work](order.job)
    return load.prepare()
  }
  if (!load) throw new Error(`${order.say} before prepare`)
  if (order.say === 'start') return load.start()
  return order.say === 'count' ? count(load) : load.finish()
}

function count (of: Load): Count {
  const { user, system } = process.cpuUsage()
  return { done: of.done(), cpuSeconds: (user + system) / 1e6 }
}

function registration (job: Job): Load {
  return {
    prepare: () => inParallel(job.first, job.accounts, 8, number => register(job.target, account(number))),
    start: () => {},
    done: () => job.accounts,
    finish: async () => ({ faults: [] }),
  }
}
