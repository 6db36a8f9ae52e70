/** What is kept as XML is sent as it is kept. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../test/support/wire/framing.ts'
import { el } from './element.ts'
import { parseFrame } from './framer.ts'
import { parseStored } from './stored.ts'
import { Written } from './written.ts'

function childOf (xml: string): Written {
  const frame = parseFrame(Buffer.from(xml), LIMITS)
  const [child] = frame.children
  if (!child) throw new Error('no child')
  return Written.child(frame, child)
}

test('a child is what came, and nothing is written anew but its tag', () => {
  const content = '<a  b="1"></a><![CDATA[<&]]>&#65;ü\n'

  expect(childOf(`<iq xmlns='jabber:client'><vCard xmlns="vcard-temp" v='1'>${content}</vCard></iq>`)).toMatchObject({
    name: 'vCard', ns: 'vcard-temp', xml: `<vCard xmlns='vcard-temp' v='1'>${content}</vCard>`,
  })
  expect(childOf("<iq xmlns='jabber:client'><x xmlns='urn:x' /></iq>").xml).toBe("<x xmlns='urn:x' />")
})

test('a child declares what namespaces it takes from the frame', () => {
  const child = childOf(
    "<iq xmlns='jabber:client' xmlns:p='urn:p' xmlns:q='urn:q'><p:x xmlns:q='urn:r' q:a='&lt;'><p:y/><z/></p:x></iq>",
  )

  const tree = parseStored(child.xml)
  expect([child.name, child.ns, tree.getNS(), tree.attrs['q:a']]).toEqual(['x', 'urn:p', 'urn:p', '<'])
  expect(tree.getChildElements().map(one => one.getNS())).toEqual(['urn:p', 'jabber:client'])
  expect(tree.attrs['xmlns:q']).toBe('urn:r')
})

test('one around others holds them as they are', () => {
  const kept = Written.kept('a', 'urn:a', "<a xmlns='urn:a'><b></b></a>")

  expect(Written.around(el('query', 'urn:q', { n: '1' }), kept, '<c/>').xml).toBe(
    `<query xmlns='urn:q' n='1'>${kept.xml}<c/></query>`,
  )
  expect(Written.around(el('query', 'urn:q')).xml).toBe("<query xmlns='urn:q'/>")
})

test('the children of one are such, too', () => {
  const children = childOf("<iq xmlns='jabber:client'><q xmlns='urn:q' xmlns:p='urn:p'><a></a><p:b c=''/></q></iq>")

  expect(children.children(1)).toBeUndefined()
  expect(children.children(2)?.map(({ name, ns, xml }) => [name, ns, xml])).toEqual([
    ['a', 'urn:q', "<a xmlns='urn:q' xmlns:p='urn:p'></a>"],
    ['b', 'urn:p', "<p:b xmlns='urn:q' c='' xmlns:p='urn:p'/>"],
  ])
})

test('of more children than are wanted the others are not looked at', () => {
  const query = Written.kept('query', 'q', "<query xmlns='q'><a/><b/><c")

  expect(query.children(1)).toBeUndefined()
  expect(() => query.children(2)).toThrow()
})
