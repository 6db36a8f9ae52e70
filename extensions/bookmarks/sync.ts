/**
 * Keeps an account's bookmarks the same in all three places: items of XEP-0402, the list of XEP-0048 in a node (PEP),
 * and that in private data (XEP-0049). Each list is compared with the one that all had last, so that a change in one
 * place is lost by none in another, whichever of them this has dealt with when the server ends.
 */
import { AccountConversion, inSlices, Jid, nextSlice, storedTree, Written } from '../../src/extension/api.ts'
import type { ExtensionHost, StoredItem } from '../../src/extension/api.ts'
import {
  changesBetween, hasSameOthers, isSame, isSameList, NS, NS_LIST, readConference, readList, replacing,
  writeConference, writeList,
} from './convert.ts'
import type { Bookmark, BookmarkChanges, BookmarkList } from './convert.ts'
import { hasCommon, readCommon, saveCommon } from './store.ts'

/** XEP-0223: what only the account itself may see. */
const PRIVATE = { 'pubsub#persist_items': ['true'], 'pubsub#access_model': ['whitelist'] }
/** The configuration of the node of items (XEP-0402 §3.3). */
export const ITEMS_OPTIONS = {
  ...PRIVATE, 'pubsub#max_items': ['max'], 'pubsub#send_last_published_item': ['never'],
}
export const LIST_OPTIONS = PRIVATE
/** XEP-0048 §3.1: the id of the list's only item. */
const CURRENT = 'current'
/** The most lists of an account that wait; of more, those in the places count. */
const MAX_WAITING = 20
const EMPTY: BookmarkList = { rooms: new Map(), others: [] }

/** A room with the id of its item, which is its address as the client has written it. */
interface Room { readonly id: string, readonly bookmark: Bookmark }

/** A list that a client has written. */
interface WrittenList {
  readonly xml: string
  /** The conversion that it has happened during: it may not know of it, and put another list in its place. */
  readonly during: Conversion | undefined
}

/** What is going on for an account. */
interface Conversion {
  /** What all places had last, before it. */
  common: BookmarkList
  /** The list that it writes. */
  xml: string | undefined
}

/** The three places, and what they had last. */
interface Places {
  readonly rooms: Map<string, Room>
  readonly node: BookmarkList | undefined
  readonly stored: BookmarkList | undefined
  readonly common: BookmarkList | undefined
}

export class BookmarkSync {
  readonly #host: ExtensionHost
  readonly conversion: AccountConversion
  /** Lists that accounts have written, and that wait. */
  readonly #lists = new Map<string, WrittenList[]>()
  readonly #underWay = new Map<string, Conversion>()

  constructor (host: ExtensionHost) {
    this.#host = host
    const { db, documents } = host
    this.conversion = new AccountConversion(host, {
      name: 'conversion of bookmarks',
      // XEP-0411 §4: what is in private data from before is in the nodes, before anything of them is read.
      isDue: async account =>
        !await hasCommon(db, account) && await documents.read(account, 'storage', NS_LIST) !== undefined,
      convert: async account => {
        const key = account.toString()
        const lists = this.#lists.get(key) ?? []
        this.#lists.delete(key)
        const conversion = { common: EMPTY, xml: undefined }
        this.#underWay.set(key, conversion)
        await this.#convert(account, lists, conversion).finally(() => { this.#underWay.delete(key) })
      },
    })
  }

  /** Something has changed in one of the places; in a list where that is given, as XML. */
  later (account: Jid, xml?: string): void {
    const key = account.toString()
    const during = this.#underWay.get(key)
    if (xml !== undefined && xml === during?.xml) return // it is its own
    if (xml !== undefined) {
      const lists = this.#lists.get(key) ?? []
      this.#lists.set(key, lists)
      if (lists.push({ xml, during }) > MAX_WAITING) lists.shift()
    }
    this.conversion.later(account)
  }

  async #convert (account: Jid, written: readonly WrittenList[], conversion: Conversion): Promise<void> {
    const lists = new Lists()
    const places = await this.#read(account, lists)
    const { rooms, node, stored } = places
    const common = conversion.common = places.common ?? EMPTY
    const changed = [{ list: stored, before: common }, { list: node, before: common }]
    for (const { xml, during } of written) {
      changed.push({ list: await lists.read(xml), before: during?.common ?? common })
    }
    let { others } = common
    for (const { list, before } of changed) {
      if (!list || list === before) continue
      await this.#apply(account, rooms, await inSlice(() => changesBetween(before, list)))
      if (!hasSameOthers(list, before)) others = list.others
    }
    const bookmarks = new Map([...rooms].map(([jid, { bookmark }]) => [jid, bookmark]))
    await this.#write(account, { rooms: bookmarks, others }, places, conversion, lists)
  }

  async #read (account: Jid, lists: Lists): Promise<Places> {
    const { db, documents, pubsub } = this.#host
    const [items, [list], stored, common] = await Promise.all([
      pubsub.items(account, NS), pubsub.items(account, NS_LIST), documents.read(account, 'storage', NS_LIST),
      readCommon(db, account),
    ])
    const rooms = new Map<string, Room>()
    await inSlices(readRooms(items, rooms))
    return {
      rooms, node: await lists.read(list?.payload), stored: await lists.read(stored?.xml),
      common: await lists.read(common),
    }
  }

  /** Publishes and retracts items as a list was changed. */
  async #apply (account: Jid, rooms: Map<string, Room>, changes: BookmarkChanges): Promise<void> {
    const { pubsub } = this.#host
    for (const [jid, changed] of changes.added) {
      const { id = jid, bookmark: before } = rooms.get(jid) ?? {}
      const bookmark = before ? replacing(before, changed) : changed
      rooms.set(jid, { id, bookmark })
      if (before && isSame(before, bookmark)) continue // XEP-0402 §5.3.2: no notifications for unchanged items
      await pubsub.publish(account, NS, { id, payload: Written.of(writeConference(bookmark)) }, ITEMS_OPTIONS)
    }
    for (const jid of changes.removed) {
      const room = rooms.get(jid)
      if (room) await pubsub.retract(account, NS, room.id)
      rooms.delete(jid)
    }
  }

  async #write (
    account: Jid, list: BookmarkList, { node, stored, common }: Places, conversion: Conversion, lists: Lists,
  ): Promise<void> {
    const { db, documents, pubsub } = this.#host
    if (!node && !stored && !common && list.rooms.size === 0 && list.others.length === 0) return
    const payload = Written.of(writeList(list))
    conversion.xml = payload.xml
    if (!await lists.isSame(node, list)) {
      await pubsub.publish(account, NS_LIST, { id: CURRENT, payload }, LIST_OPTIONS)
    }
    if (!await lists.isSame(stored, list)) await documents.change(account, 'storage', NS_LIST, () => payload)
    if (!await lists.isSame(common, list)) await saveCommon(db, account, payload.xml)
  }
}

/** The lists of a conversion: each is read and compared once, in a slice of its own. */
class Lists {
  readonly #read = new Map<string, BookmarkList | undefined>()
  readonly #same = new Map<BookmarkList, boolean>()

  /** Undefined where it is none. Throws StanzaError where it is too large. */
  async read (xml = ''): Promise<BookmarkList | undefined> {
    if (xml === '' || this.#read.has(xml)) return this.#read.get(xml)
    const list = await inSlice(() => {
      const storage = storedTree(xml)
      return storage.getName() === 'storage' && storage.getNS() === NS_LIST ? readList(storage) : undefined
    })
    this.#read.set(xml, list)
    return list
  }

  /** Whether the list of a place is the one that is to be there. */
  async isSame (place: BookmarkList | undefined, list: BookmarkList): Promise<boolean> {
    if (!place) return false
    const same = this.#same.get(place) ?? await inSlice(() => isSameList(place, list))
    this.#same.set(place, same)
    return same
  }
}

async function inSlice<T> (work: () => T): Promise<T> {
  const done: { result?: T } = {}
  await nextSlice(() => { done.result = work() })
  return done.result as T // it has run, or thrown
}

function * readRooms (items: readonly StoredItem[], rooms: Map<string, Room>): Generator<void> {
  for (const { id, payload } of items) {
    const jid = Jid.tryParse(id)
    const conference = jid?.isBare && payload !== '' ? storedTree(payload) : undefined
    if (jid && conference?.getName() === 'conference' && conference.getNS() === NS) {
      rooms.set(jid.toString(), { id, bookmark: readConference(conference) })
    }
    yield
  }
}
