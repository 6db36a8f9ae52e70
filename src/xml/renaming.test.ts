/** A stream's content namespace is read as another, wherever it is declared. */
import { expect, test } from 'vitest'
import { Framer } from './framer.ts'
import type { Frame, StreamStart } from './framer.ts'

const LIMITS = { stanzaBytes: 10_000, depth: 10, elements: 100, attributes: 10, nameBytes: 100 }
const STREAM = 'http://etherx.jabber.org/streams'

function read (header: string, ...elements: readonly string[]): { start: StreamStart, frames: readonly Frame[] } {
  const framer = new Framer(LIMITS, { from: 'jabber:server', to: 'jabber:client' })
  framer.push(Buffer.from(`<stream:stream xmlns:stream='${STREAM}' ${header}>${elements.join('')}`))
  const start = framer.next()
  if (start?.kind !== 'start') throw new Error('no header')
  const frames: Frame[] = []
  for (let part = framer.next(); part?.kind === 'element'; part = framer.next()) frames.push(part)
  return { start, frames }
}

test('the header has the namespace as it was written', () => {
  expect(read("xmlns='jabber:server'").start.contentNs).toBe('jabber:server')
  expect(read("xmlns='jabber:client'").start.contentNs).toBe('jabber:client')
  expect(read('').start.contentNs).toBeUndefined()
})

test.each([
  ['inherited', "xmlns='jabber:server'", '<message><body>hi</body></message>'],
  ['declared by the stanza', "xmlns='jabber:server'", "<message xmlns='jabber:server'><body>hi</body></message>"],
  ['declared by a child', "xmlns='jabber:server'", "<message><body xmlns='jabber:server'>hi</body></message>"],
  ['a prefix of the header', "xmlns:s='jabber:server'", '<s:message><s:body>hi</s:body></s:message>'],
  ['a prefix of the stanza', "xmlns='jabber:server'", "<message xmlns:s='jabber:server'><s:body>hi</s:body></message>"],
])('a stanza is of the other namespace, its content included: %s', (_, header, xml) => {
  const [frame] = read(header, xml).frames

  expect(frame).toMatchObject({ name: 'message', ns: 'jabber:client', children: [{ name: 'body', ns: 'jabber:client' }] })
  expect(frame?.inner.toString()).toBe('<body>hi</body>')
})

test('a declaration deep inside is renamed, and those of other namespaces stay', () => {
  const xml = "<message><x xmlns='urn:x'><message xmlns='jabber:server'><body/></message></x></message>"

  const [frame, next] = read("xmlns='jabber:server'", xml, "<message><y xmlns='urn:y'  /></message>").frames

  expect(frame?.inner.toString()).toBe("<x xmlns='urn:x'><message xmlns='jabber:client'><body/></message></x>")
  expect(next?.inner.toString()).toBe("<y xmlns='urn:y'  />")
})
