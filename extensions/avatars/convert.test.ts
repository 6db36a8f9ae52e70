/** A picture in PEP, in a vCard and in presence. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { el } from '../../src/extension/api.ts'
import type { Presence } from '../../src/extension/api.ts'
import { parseStored } from '../../src/xml/stored.ts'
import { storedStanza } from '../../src/xmpp/read-stanza.ts'
import {
  dataOf, describedIn, metadataOf, NS_METADATA, NS_UPDATE, NS_VCARD, pictureInData, pictureInVcard, saysNone,
  withHash,
  withPicture,
} from './convert.ts'

const PNG = Buffer.from('\x89PNG\r\n\x1a\nIHDR', 'latin1')
const HASH = createHash('sha1').update(PNG).digest('hex')

function vcard (content: string): ReturnType<typeof parseStored> {
  return parseStored(`<vCard xmlns='${NS_VCARD}' version='3.0'>${content}</vCard>`)
}

function photo (base64: string, type = 'image/png'): string {
  return `<PHOTO><TYPE>${type}</TYPE><BINVAL>${base64}</BINVAL></PHOTO>`
}

test('the picture of a vCard is an item of data and one of metadata, with its hash for their id (XEP-0398 §3.2)', () => {
  const picture = pictureInVcard(vcard(`<FN>Juliet</FN>${photo(PNG.toString('base64'))}`))

  expect(picture && [picture.hash, dataOf(picture).toString(), metadataOf(picture).toString()]).toEqual([
    HASH, `<data xmlns='urn:xmpp:avatar:data'>${PNG.toString('base64')}</data>`,
    `<metadata xmlns='${NS_METADATA}'><info bytes='${PNG.length}' id='${HASH}' type='image/png'/></metadata>`,
  ])
})

test('the picture of an item is in the vCard, in place of the one before, and all else stays (XEP-0398 §3.1)', () => {
  const before = vcard(`<FN>Juliet</FN>${photo('AAAA')}<x xmlns='urn:x'/><PHOTO><EXTVAL>http://x</EXTVAL></PHOTO>`)
  const picture = pictureInData(el('data', 'urn:xmpp:avatar:data', {}, PNG.toString('base64')), 'image/png')

  const after = withPicture(before, picture)

  expect(after.toString()).toBe(`<vCard xmlns='${NS_VCARD}' version='3.0'>${photo(PNG.toString('base64'))}` +
    "<FN>Juliet</FN><x xmlns='urn:x'/></vCard>")
  expect(withPicture(after, undefined).toString()).toBe(
    `<vCard xmlns='${NS_VCARD}' version='3.0'><FN>Juliet</FN><x xmlns='urn:x'/></vCard>`)
})

test('a picture is the same after both ways', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), bytes => {
    const picture = pictureInVcard(vcard(photo(Buffer.from(bytes).toString('base64'), 'image/gif')))

    const again = picture && pictureInData(dataOf(picture), picture.type)

    expect(again).toEqual(picture)
    expect(picture && describedIn(metadataOf(picture))).toEqual({ hash: picture?.hash, type: picture?.type })
  }))
})

describe('a picture in a vCard', () => {
  test('may have line breaks (XEP-0153 §4.6)', () => {
    const base64 = PNG.toString('base64')

    expect(pictureInVcard(vcard(photo(`\n ${base64.slice(0, 4)}\r\n\t${base64.slice(4)}\n`)))?.hash).toBe(HASH)
  })

  test.each([
    ['png', '\x89PNG\r\n\x1a\n', 'image/jpeg'], ['gif', 'GIF89a', ''], ['jpeg', '\xff\xd8\xff\xe0', 'image/png'],
    ['webp', 'RIFF0000WEBP', 'image/png'],
  ])('is %s, whatever the vCard says (XEP-0153 §5)', (type, bytes, said) => {
    const base64 = Buffer.from(bytes, 'latin1').toString('base64')

    expect(pictureInVcard(vcard(photo(base64, said)))?.type).toBe(`image/${type}`)
  })

  test.each([['image/svg+xml', 'image/svg+xml'], ['text/html', 'image/png'], ["x' y='", 'image/png'], ['', 'image/png']])(
    'of an unknown type is %j if that is a picture\'s', (said, type) => {
      expect(pictureInVcard(vcard(photo('AAAA', said)))?.type).toBe(type)
    })

  test.each([
    ['empty', photo('')], ['no Base64', photo('?!')], ['elsewhere', '<PHOTO><EXTVAL>http://x/</EXTVAL></PHOTO>'],
    ['not there', '<FN>Juliet</FN>'],
  ])('is none where it is %s', (_, content) => {
    expect(pictureInVcard(vcard(content))).toBeUndefined()
  })
})

describe('metadata', () => {
  const info = (id: string, more = ''): string => `<info bytes='1' id='${id}' type='image/gif'${more}/>`

  test('describe the picture that is not elsewhere (XEP-0398 §3.1)', () => {
    const metadata = parseStored(
      `<metadata xmlns='${NS_METADATA}'>${info('a'.repeat(40), " url='http://x/'")}${info('B'.repeat(40))}</metadata>`,
    )

    expect(describedIn(metadata)).toEqual({ hash: 'b'.repeat(40), type: 'image/gif' })
  })

  test.each([['', 'without a picture'], [info('x'), 'with a wrong id'], ['<pointer/>', 'with a pointer']])(
    'describe none: %s', content => {
      expect(describedIn(parseStored(`<metadata xmlns='${NS_METADATA}'>${content}</metadata>`))).toBeUndefined()
    })

  test('without a picture are empty (XEP-0084 §4.2)', () => {
    expect(metadataOf(undefined).toString()).toBe(`<metadata xmlns='${NS_METADATA}'/>`)
  })
})

describe('presence (XEP-0398 §4)', () => {
  const presence = (content: string): Presence =>
    storedStanza(`<presence xmlns='jabber:client'>${content}</presence>`) as Presence
  const x = (content = ''): string => `<x xmlns='${NS_UPDATE}'>${content}</x>`

  test.each(['<show>away</show>', `${x()}<show>away</show>`, `<show>away</show>${x('<photo>abc</photo>')}`])(
    'has the hash of the picture in place of what it says: %s', said => {
      expect(withHash(presence(said), HASH).inner.toString()).toBe(`<show>away</show>${x(`<photo>${HASH}</photo>`)}`)
      expect(withHash(presence(said), '').inner.toString()).toBe(`<show>away</show>${x('<photo/>')}`)
    })

  test('says that there is no picture, or does not', () => {
    expect([x('<photo/>'), x('<photo></photo>'), x(), x('<photo>abc</photo>'), ''].map(said => saysNone(presence(said))))
      .toEqual([true, true, false, false, false])
  })
})
