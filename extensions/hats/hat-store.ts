/** The hats of one room and their wearers, in memory and in the database. */
import { createHash } from 'node:crypto'
import { escapeAttribute } from '../../src/extension/api.ts'
import type { Database, Jid } from '../../src/extension/api.ts'

export interface Hat {
  readonly uri: string
  readonly title: string
  /** An angle (XEP-0392), as the text in the form. */
  readonly hue: string | undefined
}

export class HatStore {
  readonly #room: Jid
  readonly #hats = new Map<string, Hat>()
  /** The hats of each account, in the order in which they were assigned. */
  readonly #worn = new Map<string, Set<string>>()

  constructor (room: Jid) {
    this.#room = room
  }

  static async load (db: Database, room: Jid): Promise<HatStore> {
    const hatStore = new HatStore(room)
    const hats = await db.query<{ uri: string, title: string, hue: string | null }>(
      'select uri, title, hue from room_hat where room = $1 order by uri', [room.toString()])
    for (const { uri, title, hue } of hats) hatStore.#hats.set(uri, { uri, title, hue: hue ?? undefined })
    const worn = await db.query<{ uri: string, account: string }>(
      'select uri, account from room_hat_wearer where room = $1 order by uri', [room.toString()])
    for (const { uri, account } of worn) hatStore.#wornBy(account).add(uri)
    return hatStore
  }

  get hats (): readonly Hat[] {
    return [...this.#hats.values()]
  }

  hat (uri: string): Hat | undefined {
    return this.#hats.get(uri)
  }

  /** A hash of the list of hats; undefined where there are none. */
  get hash (): string | undefined {
    if (this.#hats.size === 0) return
    const list = this.hats.map(({ uri, title, hue }) => [uri, title, hue ?? ''].join('\n')).sort().join('\n\n')
    return createHash('sha1').update(list).digest('hex')
  }

  /** The accounts that wear the hat. */
  wearers (uri: string): readonly string[] {
    return [...this.#worn].filter(([, uris]) => uris.has(uri)).map(([account]) => account)
  }

  /** The pairs of an account and a hat that it wears. */
  * worn (): Iterable<{ readonly account: string, readonly hat: Hat }> {
    for (const [account, uris] of this.#worn) {
      for (const uri of uris) {
        const hat = this.#hats.get(uri)
        if (hat) yield { account, hat }
      }
    }
  }

  /** The number of hats that an account wears. */
  count (account: Jid): number {
    return this.#worn.get(account.toString())?.size ?? 0
  }

  /** `<hats/>` for presence (§3.1); undefined for an account without hats. */
  write (ns: string, account: Jid): string | undefined {
    const hats = [...this.#worn.get(account.toString()) ?? []].flatMap(uri => this.#hats.get(uri) ?? [])
    if (hats.length === 0) return
    return `<hats xmlns='${ns}'>${hats.map(writeHat).join('')}</hats>`
  }

  /** Adds the hat, or replaces the one with its URI. */
  async keep (db: Database, hat: Hat): Promise<void> {
    await db.query(
      `insert into room_hat (room, uri, title, hue) values ($1, $2, $3, $4)
       on conflict (room, uri) do update set title = $3, hue = $4`,
      [this.#room.toString(), hat.uri, hat.title, hat.hue ?? null])
    this.#hats.set(hat.uri, hat)
  }

  /** Removes the hat, also from its wearers. */
  async discard (db: Database, uri: string): Promise<void> {
    await db.query('delete from room_hat where room = $1 and uri = $2', [this.#room.toString(), uri])
    this.#hats.delete(uri)
    for (const uris of this.#worn.values()) uris.delete(uri)
  }

  async putOn (db: Database, uri: string, account: Jid): Promise<void> {
    await db.query('insert into room_hat_wearer (room, uri, account) values ($1, $2, $3) on conflict do nothing',
      [this.#room.toString(), uri, account.toString()])
    this.#wornBy(account.toString()).add(uri)
  }

  async takeOff (db: Database, uri: string, account: Jid): Promise<void> {
    await db.query('delete from room_hat_wearer where room = $1 and uri = $2 and account = $3',
      [this.#room.toString(), uri, account.toString()])
    this.#worn.get(account.toString())?.delete(uri)
  }

  /** Removes a former account from memory. */
  forget (account: Jid): void {
    this.#worn.delete(account.toString())
  }

  #wornBy (account: string): Set<string> {
    const worn = this.#worn.get(account) ?? new Set()
    this.#worn.set(account, worn)
    return worn
  }
}

function writeHat ({ uri, title, hue }: Hat): string {
  const angle = hue === undefined ? '' : ` hue='${escapeAttribute(hue)}'`
  return `<hat uri='${escapeAttribute(uri)}' title='${escapeAttribute(title)}'${angle}/>`
}
