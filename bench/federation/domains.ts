/** What remote domains cost that are known and idle: memory of ours for each, with an open stream, and without. */
import { setTimeout as sleep } from 'node:timers/promises'
import { account, enableAcks, logIn } from '../negotiate.ts'
import { ManyDomains } from './many-domains.ts'
import type { Field } from './field.ts'
import type { FederationOptions } from './options.ts'
import { addAccounts, job } from './ways.ts'

/** Domains that are written to before the first of them has its message. */
const AT_ONCE = 50
const POLL_MS = 20
const PATIENCE_MS = 600_000
/** The time after which ours, without streams, is weighed: before a domain leaves memory, which is after 5 minutes. */
const CLOSED_MS = 30_000

/** Kilobytes for each domain. */
export interface Weight { readonly open: number, readonly closed: number }

/** Writes one message to each of `options.domains` domains, and leaves them alone. */
export async function weighDomains (field: Field, options: FederationOptions): Promise<Weight> {
  const sender = await field.add('ours', 'ours.example', false)
  await addAccounts(sender, options)
  await sender.start()
  await using others = await ManyDomains.start(field.authority, 'many.example')
  const [target] = [job(sender, undefined, options).target]
  const client = await logIn(target, account(0))
  await enableAcks(client)
  client.onBytes = () => {}
  await sleep(options.wait * 1000)
  const before = sender.memoryKilobytes()
  for (let at = 0; at < options.domains; at++) {
    const domain = `d${at}.many.example`
    field.dns.names.set(`_xmpps-server._tcp.${domain}`, { srv: [{ port: others.port, target: 'localhost' }] })
    client.write(`<message to='somebody@${domain}' type='chat' id='m${at}'><body>hello</body></message>`)
    await arrived(others, at + 1 - AT_ONCE)
  }
  await arrived(others, options.domains)
  await sleep(options.wait * 1000)
  const open = sender.memoryKilobytes() - before
  others.disconnect()
  await sleep(CLOSED_MS)
  const closed = sender.memoryKilobytes() - before
  await client.close()
  return { open: open / options.domains, closed: closed / options.domains }
}

async function arrived (others: ManyDomains, count: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (others.messages < count) {
    if (performance.now() > deadline) throw new Error(`${others.messages} domains have got their message`)
    await sleep(POLL_MS)
  }
}
