/**
 * The load `pubsub-login` (XEP-0163): somebody with many contacts, each of whom has published to some nodes, logs in,
 * is sent the last item of each, and closes, again and again.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../client.ts'
import { inParallel } from '../job.ts'
import type { Job, Load } from '../job.ts'
import { account, logIn } from '../negotiate.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NODES = Array.from({ length: 5 }, (_, n) => `urn:bench:${n}`)
const PATIENCE = 30_000
const TEXT = 'Wilt thou leave me so unsatisfied? '.repeat(3)

/** A client that wants those nodes, by its capabilities (XEP-0115). */
const FEATURES = NODES.map(node => `${node}+notify`)
const VER = createHash('sha1').update(`client/pc//<${FEATURES.join('<')}<`).digest('base64')
const PRESENCE =
  `<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:bench' ver='${VER}'/></presence>`
const INFO = `<query xmlns='${NS_INFO}' node='urn:bench#${VER}'><identity category='client' type='pc'/>` +
  `${FEATURES.map(feature => `<feature var='${feature}'/>`).join('')}</query>`

export function contactsNodes (job: Job): Load {
  const faults: string[] = []
  const progress = { done: 0, isOver: false }
  const wanted = (job.accounts - 1) * NODES.length
  let visits = Promise.resolve()

  const visit = async (): Promise<void> => {
    const client = await logIn(job.target, account(0))
    const count = await lastItems(client, wanted)
    if (count < wanted) faults.push(`${count} items of ${wanted}`)
    progress.done++
    await client.close()
  }
  return {
    prepare: async () => {
      const watcher = await logIn(job.target, account(0))
      await inParallel(1, job.accounts - 1, 8, number => befriend(job, watcher, number))
      await watcher.close()
      await visit() // its capabilities are known from then on
    },
    start: () => {
      visits = (async () => { while (!progress.isOver && faults.length === 0) await visit() })()
        .catch((error: Error) => { faults.push(error.message) })
    },
    done: () => progress.done,
    finish: async () => {
      progress.isOver = true
      await visits
      return { faults }
    },
  }
}

/** Both let each other see their presence; the contact publishes, and leaves. */
async function befriend ({ target }: Job, watcher: Client, number: number): Promise<void> {
  const client = await logIn(target, account(number))
  const say = (type: string): void => {
    watcher.write(`<presence type='${type}' to='${account(number).name}@${target.domain}'/>`)
    client.write(`<presence type='${type}' to='${account(0).name}@${target.domain}'/>`)
  }
  say('subscribe')
  for (const node of NODES) {
    const item = `<item id='current'><entry xmlns='${node}'><title>${TEXT}</title></entry></item>`
    await client.ask(`<iq type='set' id='${node}'><pubsub xmlns='${NS}'><publish node='${node}'>${item}</publish>` +
      '</pubsub></iq>', text => new RegExp(`id=['"]${node}['"]`).test(text) && /<iq[^>]*\/>|<\/iq>/.test(text))
  }
  await sleep(200) // the requests have come
  say('subscribed')
  await sleep(200)
  await client.ask("<iq type='get' id='fence'><query xmlns='jabber:iq:roster'/></iq>",
    text => /id=['"]fence['"]/.test(text) && /<iq[^>]*\/>|<\/iq>/.test(text))
  await client.close()
}

/** Announces what the client wants, answers what it is, and resolves with the count of items when all have come. */
async function lastItems (client: Client, wanted: number): Promise<number> {
  const all = Promise.withResolvers<number>()
  let [text, count] = ['', 0]
  client.onBytes = bytes => {
    text += bytes.toString('latin1')
    const end = text.lastIndexOf('>') + 1
    const whole = text.slice(0, end)
    text = text.slice(end)
    count += whole.match(/<item /g)?.length ?? 0
    for (const [request] of whole.matchAll(/<iq [^>]*type=['"]get['"][^>]*>/g)) {
      client.write(`<iq type='result' id='${valueOf(request, 'id')}' to='${valueOf(request, 'from')}'>${INFO}</iq>`)
    }
    if (count >= wanted) all.resolve(count)
  }
  client.write(PRESENCE)
  const timer = setTimeout(() => { all.resolve(count) }, PATIENCE)
  return all.promise.finally(() => { clearTimeout(timer) })
}

function valueOf (tag: string, name: string): string {
  return new RegExp(` ${name}=['"]([^'"]*)['"]`).exec(tag)?.[1] ?? ''
}
