/** RFC 6120 §8.2.3, §8.3 and §10, RFC 6121 §8.5.3: requests and their answers, and what is never answered. */
import { describe, expect, test } from 'vitest'
import type { Extension } from '../extension/api.ts'
import { el, extension, StanzaError } from '../extension/api.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'

const NS = 'urn:example:oracle'
const QUESTION = `<question xmlns='${NS}'/>`

/** Something that answers, refuses, breaks and takes its time. */
const oracle: Extension = extension({
  name: 'oracle',
  xeps: [],
  setup (host) {
    host.iq({ type: 'get', to: ['server', 'account'], name: 'question', ns: NS }, ({ from, to }) =>
      el('answer', NS, { from: from.toString(), to: to.toString() }))
    host.iq({ type: 'set', to: ['own-account'], name: 'question', ns: NS }, () => {})
    host.iq({ type: 'get', to: ['own-account'], name: 'riddle', ns: NS }, () => {
      throw new StanzaError('not-allowed', 'why?')
    })
    host.iq({ type: 'get', to: ['own-account'], name: 'mistake', ns: NS }, () => { throw new TypeError('x is not y') })
    host.iq({ type: 'set', to: ['own-account'], name: 'mistake', ns: NS }, async () => {
      await Promise.resolve()
      throw new TypeError('x is not y')
    })
  },
})

describe('a request', () => {
  test('without an address is for the sender\'s own account (RFC 6120 §10.3.3)', async () => {
    const { client } = await world(oracle)
    const romeo = await client('romeo@localhost/orchard')

    const answer = await romeo.asks('get', QUESTION)

    expect(answer?.attrs).toMatchObject({ from: 'romeo@localhost/orchard', to: 'romeo@localhost' })
    expect(await romeo.asks('set', QUESTION, 'romeo@localhost')).toBeUndefined()
  })

  test('to another account is answered by the server, unseen by its sessions (RFC 6121 §8.5.2.1.3)', async () => {
    const server = await world(oracle)
    const romeo = await server.client('romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')

    const answer = await romeo.asks('get', QUESTION, 'juliet@localhost')

    expect(answer?.attrs.to).toBe('juliet@localhost')
    await expect(romeo.asks('set', QUESTION, 'juliet@localhost')).rejects.toThrow('service-unavailable')
    expect(await juliet.received()).toEqual([])
  })

  test.each([
    ['nobody knows', '<question xmlns="urn:example:unknown"/>', undefined],
    ['nobody knows at another account', '<question xmlns="urn:example:unknown"/>', 'juliet@localhost'],
    ['nobody knows at the server', '<question xmlns="urn:example:unknown"/>', 'localhost'],
    ['is for a resource of the server', QUESTION, 'localhost/oracle'],
    ['is for an account that does not exist', QUESTION, 'nobody@localhost'],
    ['is for a resource that is not there', QUESTION, 'juliet@localhost/crypt'],
    ['is for a resource of an account that does not exist', QUESTION, 'nobody@localhost/crypt'],
  ])('that %s is answered with service-unavailable', async (_, payload, to) => {
    const { client } = await world(oracle)
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')

    await expect(romeo.asks('get', payload, to)).rejects.toThrow('service-unavailable')
  })

  test('to a server that can\'t be reached is answered with remote-server-not-found (RFC 6120 §10.4)', async () => {
    const { client } = await world()
    const romeo = await client('romeo@localhost/orchard')

    await expect(romeo.asks('get', QUESTION, 'example.com')).rejects.toThrow('remote-server-not-found')
  })

  test.each([
    ['refused', 'get', 'riddle', 'not-allowed'], ['broken', 'get', 'mistake', 'internal-server-error'],
    ['broken later', 'set', 'mistake', 'internal-server-error'],
  ] as const)('whose handler is %s gets an error, and nothing else breaks', async (_, type, name, condition) => {
    const { client } = await world(oracle)
    const romeo = await client('romeo@localhost/orchard')

    await expect(romeo.asks(type, `<${name} xmlns='${NS}'/>`)).rejects.toThrow(condition)

    expect((await romeo.asks('get', QUESTION))?.getName()).toBe('answer')
  })

  test('is answered with its id, by whom it was for', async () => {
    const { client } = await world(oracle)
    const romeo = await client('romeo@localhost/orchard')
    await client('juliet@localhost/balcony')

    await romeo.sends(`<iq type='get' id='&lt;1&gt;' to='juliet@localhost'><nothing xmlns='${NS}'/></iq>`)

    const [answer] = await romeo.received()
    expect(answer).toMatch(
      /^<iq from='juliet@localhost' to='romeo@localhost\/orchard' id='&lt;1(&gt;|>)' type='error'>/)
  })
})

describe('a request to a resource (RFC 6121 §8.5.3)', () => {
  test('of somebody who shares presence is delivered, and so is the answer', async () => {
    const server = await world()
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(romeo, juliet)

    await romeo.sends(`<iq type='get' id='q1' to='juliet@localhost/balcony'>${QUESTION}</iq>`)
    expect(await juliet.received()).toEqual([
      `<iq from='romeo@localhost/orchard' to='juliet@localhost/balcony' id='q1' type='get'>${QUESTION}</iq>`])
    await juliet.sends("<iq type='result' id='q1' to='romeo@localhost/orchard'/>")

    expect(await romeo.receivedInBrief()).toEqual(['result from juliet@localhost/balcony: '])
  })

  test('of one\'s own is delivered', async () => {
    const { client } = await world()
    const orchard = await client('romeo@localhost/orchard')
    const garden = await client('romeo@localhost/garden')

    await orchard.sends(`<iq type='get' id='q1' to='romeo@localhost/garden'>${QUESTION}</iq>`)

    expect(await garden.receivedInBrief()).toEqual(['get from romeo@localhost/orchard: question'])
  })

  test('of a stranger is answered as if nobody were there (§8.5.3.1)', async () => {
    const server = await world()
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')
    await subscribes(juliet, romeo)

    await expect(romeo.asks('get', QUESTION, 'juliet@localhost/balcony')).rejects.toThrow('service-unavailable')

    expect(await juliet.received()).toEqual([])
  })

  test('of a stranger who sent presence directly is delivered, until its end', async () => {
    const server = await world()
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')

    await juliet.sends("<presence to='romeo@localhost/orchard'/>")
    await romeo.sends(`<iq type='get' id='q1' to='juliet@localhost/balcony'>${QUESTION}</iq>`)
    await juliet.sends("<presence to='romeo@localhost/orchard' type='unavailable'/>")
    await romeo.sends(`<iq type='get' id='q2' to='juliet@localhost/balcony'>${QUESTION}</iq>`)

    expect(await juliet.receivedInBrief()).toEqual(['get from romeo@localhost/orchard: question'])
  })
})

describe('what must not be answered (RFC 6120 §8.2.3 and §8.3.1)', () => {
  test.each([
    'nobody@localhost', 'juliet@localhost', 'juliet@localhost/crypt', 'localhost', 'example.com', 'romeo@localhost',
  ])('is a result or an error to %s', async to => {
    const { client } = await world()
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')
    const error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

    await romeo.sends(`<iq type='result' id='r1' to='${to}'/>`)
    await romeo.sends(`<iq type='error' id='r2' to='${to}'>${error}</iq>`)
    await romeo.sends(`<message type='error' id='r3' to='${to}'>${error}</message>`)
    await romeo.sends(`<presence type='error' id='r4' to='${to}'>${error}</presence>`)

    expect(await romeo.received()).toEqual([])
  })
})
