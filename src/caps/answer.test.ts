/** XEP-0115 §5: verification of what clients answer. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { el } from '../xml/element.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { readAnswer } from './answer.ts'
import type { Answer } from './answer.ts'

const CAPS = 'http://jabber.org/protocol/caps'
const MUC = 'http://jabber.org/protocol/muc'
const INFO = 'http://jabber.org/protocol/disco#info'
const ITEMS = 'http://jabber.org/protocol/disco#items'
/** Example of §5.2: client/pc//Exodus 0.9.1, and these. */
const EXODUS = "<identity category='client' type='pc' name='Exodus 0.9.1'/>"
const EXODUS_FEATURES = [CAPS, INFO, ITEMS, MUC]
const SIMPLE = 'QgayPKawpkPSDYmwT/WM94uAlu0='
/** Example of §5.3. */
const COMPLEX = 'q07IKJEyjvHSyhy//CH0CxmKi8w='
const PSI = "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>" +
  "<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>"
const SOFTWARE_FIELDS = field('ip_version', ['ipv4', 'ipv6']) + field('os', ['Mac']) + field('os_version', ['10.5.1']) +
  field('software', ['Psi']) + field('software_version', ['0.11'])

function field (name: string, values: readonly string[], type = ''): string {
  return `<field var='${name}'${type && ` type='${type}'`}>${values.map(value => `<value>${value}</value>`).join('')}</field>`
}

function form (type: string, fields: string): string {
  return `<x xmlns='jabber:x:data' type='result'>${field('FORM_TYPE', [type], 'hidden')}${fields}</x>`
}

function features (...names: readonly string[]): string {
  return names.map(name => `<feature var='${name}'/>`).join('')
}

function answer (content: string): Iq {
  const xml = `<iq xmlns='jabber:client' type='result' id='1'><query xmlns='${INFO}'>${content}</query></iq>`
  return storedStanza(xml) as Iq
}

function answered (content: string, ver: string, hash: string | undefined = 'sha-1'): Answer | undefined {
  return readAnswer(answer(content), { hash, node: 'urn:client', ver })
}

function hashOf (text: string, digest = 'sha1'): string {
  return createHash(digest).update(text).digest('base64')
}

describe('an answer is verified', () => {
  test('as in the simple example (§5.2)', () => {
    const answer = answered(EXODUS + features(...EXODUS_FEATURES), SIMPLE)

    expect(answer).toEqual({ features: EXODUS_FEATURES, isVerified: true })
  })

  test('as in the complex example, with identities in two languages and a form (§5.3)', () => {
    const content = PSI + features(...EXODUS_FEATURES) + form('urn:xmpp:dataforms:softwareinfo', SOFTWARE_FIELDS)

    expect(answered(content, COMPLEX)).toMatchObject({ isVerified: true })
  })

  test('in whatever order it is told', () => {
    const content = form('urn:xmpp:dataforms:softwareinfo', field('os', ['Mac']) + field('ip_version', ['ipv6', 'ipv4']) +
      field('software_version', ['0.11']) + field('software', ['Psi']) + field('os_version', ['10.5.1'])) +
      features(...EXODUS_FEATURES.toReversed()) + PSI

    expect(answered(content, COMPLEX)).toMatchObject({ isVerified: true })
  })

  test('without the forms that have no hidden FORM_TYPE (§5.4, step 6)', () => {
    const ignored = `<x xmlns='jabber:x:data'>${field('FORM_TYPE', ['urn:x'])}</x>` +
      `<x xmlns='jabber:x:data'>${field('os', ['Mac'])}</x>`

    expect(answered(EXODUS + features(...EXODUS_FEATURES) + ignored, SIMPLE)).toMatchObject({ isVerified: true })
  })

  test.each([['sha-224', 'sha224'], ['sha-256', 'sha256'], ['sha-384', 'sha384'], ['sha-512', 'sha512']])(
    'by %s, too (§9.1)', (hash, digest) => {
      const ver = hashOf(`client/pc//Exodus 0.9.1<${EXODUS_FEATURES.join('<')}<`, digest)

      expect(answered(EXODUS + features(...EXODUS_FEATURES), ver, hash)).toMatchObject({ isVerified: true })
    })

  test('sorted by octets, each part for itself (§5.1)', () => {
    const content = "<identity category='client-x' type='a'/><identity category='client' type='b'/>" +
      features('urn:x#y', 'urn:x', 'urn:\uff5a', 'urn:\u{10000}') +
      form('urn:x', field('a-b', ['1']) + field('a', ['2'])) + form('urn:x#y', '')
    const hashed = 'client/b//<client-x/a//<urn:x<urn:x#y<urn:\uff5a<urn:\u{10000}<urn:x<a<2<a-b<1<urn:x#y<'

    expect(answered(content, hashOf(hashed))).toMatchObject({ isVerified: true })
  })
})

describe('an answer is the client\'s own only', () => {
  const identity = 'client/pc//Exodus 0.9.1<'
  const all = `${EXODUS_FEATURES.join('<')}<`

  test.each([
    ['where the hash is another (§5.4, step 9)', SIMPLE, EXODUS + features(CAPS, INFO, ITEMS)],
    ['where an identity is there twice (step 3)',
      hashOf(identity + identity + all), EXODUS + EXODUS + features(...EXODUS_FEATURES)],
    ['where a feature is there twice (step 4)',
      hashOf(`${identity}${all}${MUC}<`), EXODUS + features(...EXODUS_FEATURES, MUC)],
    ['where two forms have one FORM_TYPE (step 5)',
      hashOf(`${identity}${all}urn:x<os<a<urn:x<os<b<`),
      EXODUS + features(...EXODUS_FEATURES) + form('urn:x', field('os', ['a'])) + form('urn:x', field('os', ['b']))],
    ['where a FORM_TYPE has two values (step 5)', hashOf(`${identity}${all}urn:x<`),
      EXODUS + features(...EXODUS_FEATURES) +
      `<x xmlns='jabber:x:data'>${field('FORM_TYPE', ['urn:x', 'urn:y'], 'hidden')}</x>`],
  ])('%s', (_, ver, content) => {
    expect(answered(content, ver)).toMatchObject({ isVerified: false })
  })

  test.each([
    ['the hash function is unknown (step 2)', 'sha-0', SIMPLE], ['it has the legacy format (§13)', undefined, '0.9'],
    ['the hash is too short', 'sha-256', SIMPLE], ['the hash is not in Base64', 'sha-1', '-'.repeat(28)],
  ])('where of the announcement %s', (_, hash, ver) => {
    expect(answered(EXODUS + features(...EXODUS_FEATURES), ver, hash)).toMatchObject({ isVerified: false })
  })
})

describe('a hash is not poisoned (§9.3)', () => {
  const nick = 'http://jabber.org/protocol/nick+notify'
  const avatar = 'urn:xmpp:avatar:metadata+notify'
  const ver = hashOf(`client/pc//Exodus<${INFO}<${nick}<${avatar}<`)
  const named = (name: string): string => `<identity category='client' type='pc' name='${name}'/>`

  test('where the client tells the truth, it is verified', () => {
    expect(answered(named('Exodus') + features(INFO, nick, avatar), ver)).toMatchObject({ isVerified: true })
  })

  test.each([
    ['a feature is hidden in the name of an identity', named(`Exodus&lt;${INFO}`) + features(nick, avatar)],
    ['one feature hides another', named('Exodus') + features(`${INFO}&lt;${nick}`, avatar)],
    ['a feature is told as an identity',
      named('Exodus') + "<identity category='http:' type='' xml:lang='jabber.org' name='protocol/disco#info'/>" +
      features(nick, avatar)],
    ['a feature is told as an identity with other limits', named('Exodus') +
      "<identity category='http:/' type='jabber.org' xml:lang='protocol' name='disco#info'/>" + features(nick, avatar)],
    ['a feature is told as the type of a form', named('Exodus') + features(INFO, nick) + form(avatar, '')],
    ['features are told as a form with a field',
      named('Exodus') + features(INFO) + form(nick, field(avatar, []))],
    ['features are told as a form with a value', named('Exodus') + form(INFO, field(nick, [avatar]))],
  ])('where %s', (_, content) => {
    expect(answered(content, ver)).toMatchObject({ isVerified: false })
  })
})

describe('nothing is learnt', () => {
  test.each([
    ['from an error', iq('error', {})], ['from an answer to something else', iq('result', {}, el('vCard', 'vcard-temp'))],
    ['from more than 1000 features', answer(features(...Array.from({ length: 1001 }, (_, n) => `urn:${n}`)))],
    ['from more than 65 536 bytes', answer(features('x'.repeat(65_536)))],
    ['from more elements than the server reads', answer('<a/>'.repeat(5000))],
  ])('%s', (_, iq) => {
    expect(readAnswer(iq, { hash: 'sha-1', node: 'urn:client', ver: SIMPLE })).toBeUndefined()
  })
})
