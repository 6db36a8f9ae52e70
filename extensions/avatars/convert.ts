/** A picture as PEP has it (XEP-0084), as a vCard has it (XEP-0153), and its hash in presence (XEP-0398 §4). */
import { createHash } from 'node:crypto'
import { el } from '../../src/extension/api.ts'
import type { Element, Presence } from '../../src/extension/api.ts'

export const NS_DATA = 'urn:xmpp:avatar:data'
export const NS_METADATA = 'urn:xmpp:avatar:metadata'
export const NS_VCARD = 'vcard-temp'
export const NS_UPDATE = 'vcard-temp:x:update'

export interface Picture {
  /** SHA-1 in hexadecimal digits: the id of its items. */
  readonly hash: string
  /** Its content type. */
  readonly type: string
  readonly data: Buffer
}

/** The beginnings of the files of the types that clients know. */
const MAGIC: readonly (readonly [type: string, magic: RegExp])[] = [
  ['image/png', /^\x89PNG\r\n\x1a\n/], ['image/gif', /^GIF8[79]a/], ['image/jpeg', /^\xff\xd8\xff/],
  ['image/webp', /^RIFF.{4}WEBP/s],
]
const MAGIC_BYTES = 12
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
const HASH = /^[0-9a-f]{40}$/i

/** The picture of a vCard; undefined where it has none in it. */
export function pictureInVcard (vcard: Element): Picture | undefined {
  const photo = vcard.getChildren('PHOTO', NS_VCARD).find(one => one.getChild('BINVAL', NS_VCARD))
  return photo && pictureOf(photo.getChildText('BINVAL', NS_VCARD) ?? '', photo.getChildText('TYPE', NS_VCARD) ?? '')
}

/** The picture of `<data/>` (XEP-0084 §4.1), of which the metadata say the type; undefined where it is none. */
export function pictureInData (data: Element, type: string): Picture | undefined {
  return pictureOf(data.text(), type)
}

/** XEP-0153 §4.6: line breaks do not count. */
function pictureOf (text: string, said: string): Picture | undefined {
  const base64 = text.replace(/\s+/g, '')
  if (!BASE64.test(base64)) return
  const data = Buffer.from(base64, 'base64')
  return { hash: createHash('sha1').update(data).digest('hex'), type: typeOf(data, said), data }
}

/** XEP-0153 §5: the picture itself says what it is, where that is known. */
function typeOf (data: Buffer, said: string): string {
  const start = data.toString('latin1', 0, MAGIC_BYTES)
  const [type] = MAGIC.find(([, magic]) => magic.test(start)) ?? []
  return type ?? (/^(image|video)\/[\w.+-]+$/.test(said) ? said : 'image/png')
}

/** The content of the item of the data node, with the picture's hash for its id. */
export function dataOf ({ data }: Picture): Element {
  return el('data', NS_DATA, {}, data.toString('base64'))
}

/** The content of the item of the metadata node; without a picture it says that there is none (XEP-0084 §4.2). */
export function metadataOf (picture: Picture | undefined): Element {
  if (!picture) return el('metadata', NS_METADATA)
  const { hash: id, type, data } = picture
  return el('metadata', NS_METADATA, {}, el('info', NS_METADATA, { bytes: String(data.length), id, type }))
}

/** XEP-0398 §3.1: the picture that is at the data node, of those that the metadata describe. */
export function describedIn (metadata: Element): { readonly hash: string, readonly type: string } | undefined {
  const infos = metadata.getChildren('info', NS_METADATA).filter(({ attrs: { url } }) => url === undefined)
  const { id, type = '' } = infos.find(({ attrs }) => HASH.test(attrs.id ?? ''))?.attrs ?? {}
  return id === undefined ? undefined : { hash: id.toLowerCase(), type }
}

/** The vCard with that picture in place of the one it has, or without a picture; everything else in it stays. */
export function withPicture (vcard: Element, picture: Picture | undefined): Element {
  const photo = picture && el('PHOTO', NS_VCARD, {},
    el('TYPE', NS_VCARD, {}, picture.type), el('BINVAL', NS_VCARD, {}, picture.data.toString('base64')))
  const { xmlns: _, ...attrs } = vcard.attrs
  return el(vcard.name, vcard.getNS(), attrs, photo, vcard.children.filter(child => !isPhoto(child)))
}

function isPhoto (child: Element | string): boolean {
  return typeof child !== 'string' && child.getName() === 'PHOTO' && child.getNS() === NS_VCARD
}

/** XEP-0398 §4: whether the client says itself that there is no picture: that stays as it is. */
export function saysNone (presence: Presence): boolean {
  return presence.payload('x', NS_UPDATE)?.getChild('photo', NS_UPDATE)?.text() === ''
}

/** Presence with the hash of the account's picture, empty where there is none, in place of what it says. */
export function withHash (presence: Presence, hash: string): Presence {
  return presence.withoutPayload(({ name, ns }) => name === 'x' && ns === NS_UPDATE)
    .withPayload(el('x', NS_UPDATE, {}, el('photo', NS_UPDATE, {}, hash || undefined)))
}
