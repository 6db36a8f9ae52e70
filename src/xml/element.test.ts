import { expect, test } from 'vitest'

import { LIMITS } from '../../test/support/wire/framing.ts'
import { attributesOf, el, type Element, parseChild, parseElement } from './element.ts'
import { type Frame, parseFrame } from './framer.ts'

const NS = 'jabber:client'

test('an element is written with its namespace, attributes and content', () => {
  const item = el('item', undefined, { jid: 'a@b' })
  const query = el('query', 'jabber:iq:roster', { ver: '7', absent: undefined }, item, undefined, 'text')

  expect(query.toString()).toBe("<query xmlns='jabber:iq:roster' ver='7'><item jid='a@b'/>text</query>")
  expect(query.getChild('item', 'jabber:iq:roster')?.attrs).toEqual({ jid: 'a@b' })
})

test('a namespace is declared where it changes', () => {
  const item = el(
    'item',
    'urn:q',
    {},
    el('group', 'urn:q'),
    el('x', 'urn:x', {}, el('item', 'urn:q'), el('y', 'urn:x')),
    el('last', 'urn:q'),
  )
  const query = el('query', 'urn:q', {}, item)

  expect(query.toString()).toBe(
    "<query xmlns='urn:q'><item><group/><x xmlns='urn:x'><item xmlns='urn:q'/><y/></x><last/></item></query>",
  )
  expect(query.toString('urn:q')).toBe(
    "<query><item><group/><x xmlns='urn:x'><item xmlns='urn:q'/><y/></x><last/></item></query>",
  )
  expect(query.getChild('item')?.getChild('group')?.toString()).toBe("<group xmlns='urn:q'/>")
})

test('what is in no namespace says so where its parent is in one', () => {
  const parent = el('a', 'urn:a', {}, el('b', '', {}, el('c', 'urn:a'), el('d', '')))

  expect(parent.toString()).toBe("<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:a'/><d/></b></a>")
})

test('what is written is escaped', () => {
  expect(el('a', undefined, { b: `<&"'>\n` }, ']]>&<b/>\r\0').toString())
    .toBe("<a b='&lt;&amp;&quot;&apos;&gt;&#10;'>]]&gt;&amp;&lt;b/&gt;&#13;\ufffd</a>")
})

test('an element without a namespace takes that of the element which it is put into', () => {
  const body = el('body', undefined, {}, el('b', undefined))
  const one = el('message', NS, {}, body)
  const other = el('message', 'jabber:server', {}, body)

  expect(one.getChild('body', NS)?.getChild('b', NS)).toBeDefined()
  expect(other.getChild('body', 'jabber:server')?.getChild('b', 'jabber:server')).toBeDefined()
  expect(one.getChild('body')?.toString()).toBe("<body xmlns='jabber:client'><b/></body>")
})

test('an element does not change when it is put into another', () => {
  const inherits = el('body', undefined)
  const declares = el('x', 'urn:x', {}, el('y', undefined))
  const before = [inherits, declares].map(describe)
  el('message', NS, {}, inherits, declares)
  el('other', 'urn:other', {}, inherits, declares)

  expect([inherits, declares].map(describe)).toEqual(before)
})

test('an element that is taken out of a tree and put into another keeps its namespace', () => {
  const query = "<query xmlns='urn:q'><item p:a='1'><p:x/></item></query>"
  const tree = parseElement(frameOf(`<iq xmlns='${NS}' xmlns:p='urn:p'>${query}</iq>`))
  const item = tree.getChild('query')?.getChild('item') ?? el('missing', undefined)
  const moved = el('result', 'urn:r', {}, item)

  const [child] = moved.getChildElements()
  expect(moved.getChild('item', 'urn:q')?.getChild('x', 'urn:p')).toBeDefined()
  expect(parseElement(frameOf(moved.toString())).getChild('item', 'urn:q')?.getChild('x', 'urn:p')).toBeDefined()
  expect(child?.toString()).toBe("<item xmlns='urn:q' p:a='1' xmlns:p='urn:p'><p:x/></item>")
  expect(item.getNS()).toBe('urn:q')
})

test('an element in no namespace stays in none', () => {
  const tree = parseElement(frameOf(`<a xmlns='${NS}'><b xmlns=''><c/></b></a>`))

  expect(tree.getChild('b')?.getNS()).toBe('')
  expect(tree.getChild('b')?.getChild('c')?.getNS()).toBe('')
  expect(tree.getChild('b')?.getChild('c')?.toString()).toBe("<c xmlns=''/>")
})

test('a frame as a tree has its header, other attributes and content', () => {
  const attributes = `xmlns='${NS}' to='a&amp;b' type='chat' xml:lang='de' foo="it's"`
  const content = '<body>1 &lt; 2</body><![CDATA[<&amp;]]>&#x41;\r\nz'
  const tree = parseElement(frameOf(`<message ${attributes}>${content}</message>`))

  expect(tree.attrs).toEqual({ xmlns: NS, to: 'a&b', type: 'chat', 'xml:lang': 'de', foo: "it's" })
  expect(tree.children.map(String)).toEqual(["<body xmlns='jabber:client'>1 &lt; 2</body>", '<&amp;A\nz'])
  expect(tree.getChildText('body', NS)).toBe('1 < 2')
})

test('of a child with more elements than are wanted no tree is built', () => {
  const frame = frameOf(`<iq xmlns='${NS}'><q a='&lt;'><r/><![CDATA[<s/>]]><r><r/></r></q></iq>`)
  const [child] = frame.children

  expect(child && parseChild(frame, child, 3)).toBeUndefined()
  expect(child && parseChild(frame, child, 4)?.getChildren('r')).toHaveLength(2)
  expect(child && attributesOf(frame, child)).toEqual({ a: '<' })
})

test('a child as a tree stands on its own', () => {
  const frame = frameOf(`<iq xmlns='${NS}' xmlns:p='urn:p'><q/><p:q><r/></p:q><q xmlns='urn:q' p:a='b'/></iq>`)

  expect(frame.children.map(child => parseChild(frame, child, 2)?.getNS())).toEqual([NS, 'urn:p', 'urn:q'])
  expect(frame.children.map(child => parseChild(frame, child, 2)?.toString())).toEqual([
    "<q xmlns='jabber:client' xmlns:p='urn:p'/>",
    "<p:q xmlns='jabber:client' xmlns:p='urn:p'><r/></p:q>",
    "<q xmlns='urn:q' p:a='b' xmlns:p='urn:p'/>",
  ])
})

test('names that every object has are only names', () => {
  const tree = parseElement(frameOf("<a constructor='1' hasOwnProperty='2' __proto__='3' toString='4'/>"))

  expect({ ...tree.attrs }).toEqual(Object.fromEntries([
    ['xmlns', ''], ['constructor', '1'], ['hasOwnProperty', '2'], ['__proto__', '3'], ['toString', '4'],
  ]))
  expect(tree.toString()).toContain("__proto__='3'")
  expect(el('b', NS).attrs['constructor']).toBe(undefined)
})

test('names may have letters that some take for spaces', () => {
  const tree = parseElement(frameOf("<a><b\u1680c d\ufeffe='f'/></a>"))

  expect(tree.children.map(String)).toEqual(["<b\u1680c xmlns='' d\ufeffe='f'/>"])
})

test('many pieces of text and many levels are read', () => {
  const deep = `${'<a>'.repeat(60)}${'<![CDATA[x]]>y'.repeat(5000)}${'</a>'.repeat(60)}`
  let tree: Element | undefined = parseElement(frameOf(deep))
  for (let depth = 1; depth < 60; depth++) tree = tree?.getChild('a')

  expect(tree?.text()).toBe('xy'.repeat(5000))
})

function frameOf (xml: string): Frame {
  return parseFrame(Buffer.from(xml), LIMITS)
}

function describe (element: Element): unknown {
  return [element.getNS(), element.toString(), element.children.map(String), { ...element.attrs }]
}
