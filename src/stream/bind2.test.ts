import { describe, expect, test } from 'vitest'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { bindFeature, bound, chooseAddress, parseBind } from './bind2.ts'

const NS = 'urn:xmpp:bind:0'
const SECRET = Buffer.alloc(32, 3)
const JULIET = Jid.parse('juliet@localhost')
const CLIENT = 'd4565fa7-4d72-4749-b3d3-740edbf87770'

describe('the feature', () => {
  test('lists what can be asked for with it', () => {
    expect(bindFeature(['urn:xmpp:carbons:2', 'urn:xmpp:csi:0']).toString())
      .toBe(`<bind xmlns='urn:xmpp:bind:0'><inline>`
        + `<feature var='urn:xmpp:carbons:2'/><feature var='urn:xmpp:csi:0'/></inline></bind>`)
  })

  test('has no list of nothing', () => {
    expect(bindFeature([]).toString()).toBe(`<bind xmlns='urn:xmpp:bind:0'/>`)
  })
})

describe('a request', () => {
  test('has a tag, and features in their order', () => {
    const carbons = el('enable', 'urn:xmpp:carbons:2')
    const inactive = el('inactive', 'urn:xmpp:csi:0')
    const request = parseBind(el('bind', NS, {}, el('tag', undefined, {}, 'AwesomeXMPP'), carbons, inactive))

    expect(request.tag).toBe('AwesomeXMPP')
    expect(request.features.map(feature => feature.getNS())).toEqual(['urn:xmpp:carbons:2', 'urn:xmpp:csi:0'])
  })

  test.each([
    el('bind', NS), el('bind', NS, {}, el('tag', undefined)), el('bind', NS, {}, el('tag', 'urn:other', {}, 'a')),
  ])(
    'may have no tag: %s', element => {
      expect(parseBind(element).tag).toBeUndefined()
    })
})

describe('the address', () => {
  test('is the tag and an id', () => {
    expect(chooseAddress(SECRET, JULIET, 'AwesomeXMPP', CLIENT).toString())
      .toMatch(/^juliet@localhost\/AwesomeXMPP\/[\w-]{12}$/)
    expect(chooseAddress(SECRET, JULIET, undefined, CLIENT).resource).toMatch(/^[\w-]{12}$/)
  })

  test('is the same whenever the same client asks', () => {
    const address = chooseAddress(SECRET, JULIET, 'a', CLIENT)

    expect(chooseAddress(SECRET, JULIET, 'a', CLIENT.toUpperCase()).equals(address)).toBe(true)
  })

  test('is another for another client, tag, account or server, and tells nothing of the client\'s id', () => {
    const ids = [
      chooseAddress(SECRET, JULIET, 'a', CLIENT),
      chooseAddress(SECRET, JULIET, 'b', CLIENT),
      chooseAddress(SECRET, JULIET, undefined, CLIENT),
      chooseAddress(SECRET, JULIET, 'a', CLIENT.replace('d', 'e')),
      chooseAddress(SECRET, Jid.parse('romeo@localhost'), 'a', CLIENT),
      chooseAddress(Buffer.alloc(32, 4), JULIET, 'a', CLIENT),
    ].map(address => address.resource.split('/').at(-1))

    expect(new Set(ids).size).toBe(6)
    for (const id of ids) expect(CLIENT).not.toContain(id)
  })

  test('is random for a client without an id', () => {
    const [one, other] = [undefined, undefined].map(id => chooseAddress(SECRET, JULIET, 'a', id).toString())

    expect(one).not.toBe(other)
  })

  test.each([['holds what no resource may', 'a\u0000'], ['is too long', 'a'.repeat(1020)]])(
    'leaves out a tag that %s', (_how, tag) => {
      expect(chooseAddress(SECRET, JULIET, tag, CLIENT).resource).toMatch(/^[\w-]{12}$/)
    })
})

test('the answer holds what the features answer', () => {
  expect(bound([el('enabled', 'urn:xmpp:sm:3')]).toString())
    .toBe(`<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3'/></bound>`)
})
