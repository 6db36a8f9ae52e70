/**
 * A bookmarked room in the formats of XEP-0402, an item of its own, and XEP-0048, part of a list. What either does not
 * define stays: in `<extensions/>` of the one, among the children of the other; notification settings (XEP-0492) do so.
 */
import { checkAddressList, el, Jid } from '../../src/extension/api.ts'
import type { Element } from '../../src/extension/api.ts'

export const NS = 'urn:xmpp:bookmarks:1'
export const NS_LIST = 'storage:bookmarks'

/** A list of XEP-0048. */
export interface BookmarkList {
  /** By the room's address. */
  readonly rooms: ReadonlyMap<string, Bookmark>
  /** Pages of the web, and whatever else is in the list. */
  readonly others: readonly Element[]
}

export interface Bookmark {
  readonly name: string | undefined
  readonly isJoined: boolean
  readonly nick: string | undefined
  readonly password: string | undefined
  readonly extensions: readonly Element[]
}

export interface BookmarkChanges {
  readonly added: ReadonlyMap<string, Bookmark>
  readonly removed: readonly string[]
}

/** The bookmark in an item of XEP-0402. */
export function readConference (conference: Element): Bookmark {
  return bookmarkIn(conference, NS)
}

/** XEP-0402 §2. */
export function writeConference (bookmark: Bookmark): Element {
  const { name, isJoined, extensions } = bookmark
  return el('conference', NS, { name, autojoin: isJoined ? 'true' : undefined }, fieldsOf(bookmark),
    extensions.length > 0 ? el('extensions', NS, {}, extensions) : undefined)
}

/** XEP-0048 §2. Throws StanzaError where it is too expensive to read. */
export function readList (storage: Element): BookmarkList {
  const rooms = new Map<string, Bookmark>()
  const others: Element[] = []
  const elements = storage.getChildElements()
  checkAddressList(elements.flatMap(({ attrs }) => attrs.jid ?? []))
  for (const element of elements) {
    const room = isConference(element) ? Jid.tryParse(element.attrs.jid ?? '') : undefined
    if (!room || rooms.has(room.bare.toString())) others.push(element)
    else rooms.set(room.bare.toString(), withNick(bookmarkIn(element, NS_LIST), room.resource))
  }
  return { rooms, others }
}

/** XEP-0402 §5.3.1: all rooms, with their addresses. */
export function writeList ({ rooms, others }: BookmarkList): Element {
  return el('storage', NS_LIST, {}, others, [...rooms].map(([jid, bookmark]) =>
    el('conference', NS_LIST, { jid, name: bookmark.name, autojoin: String(bookmark.isJoined) },
      fieldsOf(bookmark), bookmark.extensions)))
}

/** What has become of the rooms of a list. */
export function changesBetween (before: BookmarkList, after: BookmarkList): BookmarkChanges {
  return {
    added: new Map([...after.rooms].filter(([jid, bookmark]) => {
      const known = before.rooms.get(jid)
      return !known || !isSame(known, bookmark)
    })),
    removed: [...before.rooms.keys()].filter(jid => !after.rooms.has(jid)),
  }
}

/**
 * A bookmark from a list, with the extensions of the one that it replaces: clients drop what they do not know (XEP-0402
 * §1).
 */
export function replacing (before: Bookmark, bookmark: Bookmark): Bookmark {
  const names = new Set(bookmark.extensions.map(nameOf))
  return {
    ...bookmark,
    extensions: [...before.extensions.filter(one => !names.has(nameOf(one))), ...bookmark.extensions],
  }
}

export function isSame (one: Bookmark, other: Bookmark): boolean {
  return keyOf(one) === keyOf(other)
}

export function isSameList (one: BookmarkList, other: BookmarkList): boolean {
  const { added, removed } = changesBetween(one, other)
  return added.size === 0 && removed.length === 0 && hasSameOthers(one, other)
}

/** Whether both have the same pages, and whatever else is no room. */
export function hasSameOthers (one: BookmarkList, other: BookmarkList): boolean {
  return one.others.join() === other.others.join()
}

function bookmarkIn (conference: Element, ns: string): Bookmark {
  const { name, autojoin = 'false' } = conference.attrs
  const elements = conference.getChildElements()
  const text = (field: string): string | undefined => conference.getChildText(field, ns) || undefined
  return {
    name, isJoined: autojoin === 'true' || autojoin === '1', nick: text('nick'), password: text('password'),
    extensions: elements.flatMap(element => {
      if (element.getNS() !== ns) return element
      switch (element.getName()) {
        case 'nick':
        case 'password': return []
        case 'extensions': return element.getChildElements()
        default: return element
      }
    }),
  }
}

/** Some clients say with the room's address who they are in it. */
function withNick (bookmark: Bookmark, nick: string): Bookmark {
  return bookmark.nick === undefined && nick !== '' ? { ...bookmark, nick } : bookmark
}

function fieldsOf ({ nick, password }: Bookmark): readonly Element[] {
  return Object.entries({ nick, password }).flatMap(([name, value]) =>
    value === undefined ? [] : el(name, undefined, {}, value))
}

function isConference (element: Element): boolean {
  return element.getName() === 'conference' && element.getNS() === NS_LIST
}

function nameOf (element: Element): string {
  return `${element.getName()} ${element.getNS()}`
}

function keyOf ({ name, isJoined, nick, password, extensions }: Bookmark): string {
  return JSON.stringify([name, isJoined, nick, password, extensions.map(one => one.toString()).sort()])
}
