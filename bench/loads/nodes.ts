/**
 * The loads `pubsub` and `pubsub-items` (XEP-0060): one publishes at pubsub.HOST to many who have subscribed, or many
 * ask for the newest items of a node.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../client.ts'
import { inParallel } from '../job.ts'
import type { Job, Load } from '../job.ts'
import { account, logIn } from '../negotiate.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const NODE = 'bench'
/** Items of the node that are asked for, and of an answer. */
const ITEMS = 1000
const PAGE = 20
const PATIENCE = 30_000
const TEXT = 'Wilt thou leave me so unsatisfied? '.repeat(9)

/** One publishes, so many at a time; the others hear of it. */
export function pubsub (job: Job): Load {
  let clients: readonly Client[] = []
  const heard: Tags[] = []
  let answers: Tags | undefined
  const progress = { sent: 0, isOver: false }
  const publish = (): void => { clients[0]?.write(publication(job, progress.sent++)) }
  return {
    prepare: async () => {
      clients = await gather(job, 1)
      await inParallel(1, job.accounts - 1, 8, async number => { await subscribe(job, clients[number], number) })
      for (const client of clients.slice(1)) heard.push(new Tags(client, '<entry'))
      const [publisher] = clients
      if (!publisher) throw new Error('nobody publishes')
      answers = new Tags(publisher, '<iq', count => {
        for (let left = count; left > 0 && !progress.isOver; left--) publish()
      })
    },
    start: () => { for (let left = job.window; left > 0; left--) publish() },
    done: () => answers?.count ?? 0,
    finish: async () => {
      progress.isOver = true
      await until(() => [...heard, ...answers ? [answers] : []].every(({ count }) => count >= progress.sent))
      const faults = heard.filter(({ count }) => count !== progress.sent)
        .map(({ count }) => `${count} events of ${progress.sent} publications`)
      return { faults: [...faults, ...await leave(clients)] }
    },
  }
}

/** All ask for the newest items, again and again. */
export function pubsubItems (job: Job): Load {
  let clients: readonly Client[] = []
  const answers: Tags[] = []
  const progress = { isOver: false }
  const ask = (client: Client): void => {
    const items = `<items node='${NODE}' max_items='${PAGE}'/>`
    client.write(`<iq type='get' id='items' to='${service(job)}'><pubsub xmlns='${NS}'>${items}</pubsub></iq>`)
  }
  return {
    prepare: async () => {
      clients = await gather(job, ITEMS)
      const [publisher] = clients
      for (let number = 0; number < ITEMS; number++) {
        await publisher?.ask(publication(job, number), text => text.includes('</iq>') || /<iq[^>]*\/>/.test(text))
      }
      for (const client of clients) answers.push(new Tags(client, '</iq>', () => { if (!progress.isOver) ask(client) }))
    },
    start: () => { for (const client of clients) ask(client) },
    done: () => answers.reduce((sum, { count }) => sum + count, 0),
    finish: async () => {
      progress.isOver = true
      await sleep(1000)
      const [client] = clients
      const faults = client && answers[0] ? wrongPage(await answers[0].next(() => { ask(client) })) : []
      return { faults: [...faults, ...await leave(clients)] }
    },
  }
}

/** How often a tag comes. */
class Tags {
  count = 0
  readonly #tag: Buffer
  #rest = ''
  #last = ''
  #wanted: ((text: string) => void) | undefined

  constructor (client: Client, tag: string, heard: (count: number) => void = () => {}) {
    this.#tag = Buffer.from(tag)
    client.onBytes = bytes => {
      const count = this.#countIn(bytes)
      this.count += count
      if (this.#wanted) this.#last += bytes.toString()
      if (count > 0) this.#tell()
      if (count > 0) heard(count)
    }
  }

  /** All that comes after `ask`, up to the next tag. */
  next (ask: () => void): Promise<string> {
    return new Promise(resolve => {
      this.#wanted = resolve
      ask()
    })
  }

  #tell (): void {
    this.#wanted?.(this.#last)
    this.#wanted = undefined
  }

  #countIn (chunk: Buffer): number {
    const bytes = this.#rest === '' ? chunk : Buffer.concat([Buffer.from(this.#rest, 'latin1'), chunk])
    let count = 0
    let end = 0
    for (let at = bytes.indexOf(this.#tag); at !== -1; at = bytes.indexOf(this.#tag, end)) {
      count++
      end = at + this.#tag.length
    }
    this.#rest = bytes.toString('latin1', Math.max(end, bytes.length - this.#tag.length + 1))
    return count
  }
}

function service ({ target }: Job): string {
  return `pubsub.${target.domain}`
}

/** Logs everybody in; the first makes a node that keeps so many items. */
async function gather (job: Job, most: number): Promise<readonly Client[]> {
  const clients: Client[] = []
  await inParallel(0, job.accounts, 8, async number => { clients[number] = await logIn(job.target, account(number)) })
  const fields = [
    ['FORM_TYPE', `${NS}#node_config`], ['pubsub#access_model', 'open'], ['pubsub#max_items', String(most)],
    ['pubsub#persist_items', '1'], ['pubsub#notify_retract', '0'], ['pubsub#send_last_published_item', 'never'],
  ].map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('')
  const request = (type: string, id: string, ns: string, content: string): Promise<string> | undefined =>
    clients[0]?.ask(`<iq type='${type}' id='${id}' to='${service(job)}'><pubsub xmlns='${ns}'>${content}</pubsub></iq>`,
      text => new RegExp(`id=['"]${id}['"]`).test(text))
  await request('set', 'delete', `${NS}#owner`, `<delete node='${NODE}'/>`)?.catch(() => {}) // of the last round
  await request('set', 'create', NS,
    `<create node='${NODE}'/><configure><x xmlns='jabber:x:data' type='submit'>${fields}</x></configure>`)
  return clients
}

async function subscribe (job: Job, client: Client | undefined, number: number): Promise<void> {
  const jid = `${account(number).name}@${job.target.domain}`
  const content = `<subscribe node='${NODE}' jid='${jid}'/>`
  await client?.ask(`<iq type='set' id='sub' to='${service(job)}'><pubsub xmlns='${NS}'>${content}</pubsub></iq>`,
    text => /id=['"]sub['"]/.test(text) && text.includes('</iq>'))
}

function publication (job: Job, number: number): string {
  const item = `<item id='${number}'><entry xmlns='http://www.w3.org/2005/Atom'><title>${TEXT}</title></entry></item>`
  return `<iq type='set' id='p${number}' to='${service(job)}'><pubsub xmlns='${NS}'>` +
    `<publish node='${NODE}'>${item}</publish></pubsub></iq>`
}

/** The newest items, and nothing else. */
function wrongPage (answer: string): readonly string[] {
  const ids = [...answer.matchAll(/<item [^>]*id=['"](\d+)['"]/g)].map(([, id]) => Number(id)).sort((a, b) => a - b)
  const wanted = Array.from({ length: PAGE }, (_, at) => ITEMS - PAGE + at)
  return ids.join() === wanted.join() ? [] : [`an answer has the items ${ids.join()}`]
}

async function until (isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE
  while (Date.now() < deadline && !isSo()) await sleep(20)
  await sleep(200)
}

async function leave (clients: readonly Client[]): Promise<readonly string[]> {
  const lost = clients.filter(client => client.lost).map(() => 'a client was disconnected')
  await Promise.all(clients.map(client => client.close()))
  return lost
}
