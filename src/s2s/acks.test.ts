/** XEP-0198 between servers: what is counted, and when it is told. */
import { expect, test } from 'vitest'
import { parseFrame } from '../xml/framer.ts'
import { Acks, NS_SM } from './acks.ts'

const LIMITS = { stanzaBytes: 1000, depth: 10, attributes: 10, nameBytes: 100, elements: 10 }

function enabled (): { acks: Acks, written: string[], take: (xml: string) => void } {
  const written: string[] = []
  const acks = new Acks(element => { written.push(element.toString()) })
  acks.start()
  return {
    acks, written,
    take: xml => { acks.take(parseFrame(Buffer.from(xml.replace('/>', ` xmlns='${NS_SM}'/>`)), LIMITS)) },
  }
}

test('who asks is answered when all is handled that came before the question', () => {
  const { acks, written, take } = enabled()
  acks.taken()
  acks.taken()
  acks.handled()

  take('<r/>')
  expect(written).toEqual([])
  acks.taken()
  acks.handled()

  expect(written).toEqual([`<a xmlns='${NS_SM}' h='2'/>`])
})

test('what was sent is confirmed by a count of as many, and by none of fewer', async () => {
  const { acks, take } = enabled()
  const order: string[] = []
  acks.sent()
  const first = acks.confirm().then(() => order.push('first'))
  acks.sent()
  const second = acks.confirm().then(() => order.push('second'))

  take("<a h='0'/>")
  take("<a h='1'/>")
  await first
  order.push('later')
  take("<a h='2'/>")
  await second

  expect(order).toEqual(['first', 'later', 'second'])
})

test('where nothing was sent since the last confirmation, nothing is asked', async () => {
  const { acks, written } = enabled()

  await acks.confirm()

  expect(written).toEqual([])
})

test('a stream that is lost confirms nothing', async () => {
  const { acks } = enabled()
  acks.sent()
  const confirmed = acks.confirm()

  acks.lost(new Error('broken'))

  await expect(confirmed).rejects.toThrow('broken')
})

test('a count that goes back says nothing, one of more than was sent is refused', () => {
  const { acks, take } = enabled()
  for (let n = 0; n < 3; n++) acks.sent()
  take("<a h='2'/>")

  take("<a h='1'/>")

  expect(() => { take("<a h='4'/>") }).toThrow('more was acknowledged than was sent')
  expect(() => { take("<a h='x'/>") }).toThrow('needs a number')
})
