import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PacketWriter, readEntry, readPackets } from './packets.ts'

const PACKET = fc.record({
  type: fc.nat({ max: 4 }),
  kind: fc.constantFrom('', 'stanza', 'stream.element'),
  id: fc.nat({ max: 0xffffffff }),
  header: fc.dictionary(fc.string(), fc.string({ unit: 'binary' })),
  body: fc.uint8Array({ maxLength: 5_000 }).map(bytes => Buffer.from(bytes)),
})

test('what was written is read, in order, from every entry that a writer makes', () => {
  fc.assert(fc.property(fc.array(fc.array(PACKET), { maxLength: 4 }), fc.nat({ max: 2 ** 40 }), (entries, first) => {
    const writer = new PacketWriter()

    for (const [i, packets] of entries.entries()) {
      for (const { type, kind, id, header, body } of packets) writer.add(type, kind, id, JSON.stringify(header), body)
      const entry = readEntry(writer.take('a.Zk3xQ', first + i))
      const read: unknown[] = []
      const steps = readPackets(entry, (from, type, kind, id, header, body) => {
        read.push({ from, type, kind, id, header, body })
        return undefined
      })
      while (!steps.next().done);

      expect([entry.from, entry.counter]).toEqual(['a.Zk3xQ', first + i])
      expect(read).toEqual(packets.map(packet => ({
        from: 'a.Zk3xQ', ...packet, header: JSON.parse(JSON.stringify(packet.header)),
      })))
    }
  }), { numRuns: 50 })
})

test('a packet that takes several steps is done before the next one is begun', () => {
  fc.assert(fc.property(fc.array(fc.option(fc.nat({ max: 40 })), { maxLength: 60 }), all => {
    const writer = new PacketWriter()
    for (const id of all.keys()) writer.add(1, 'multicast', id, '{}', undefined)
    const done: string[] = []
    function * work (id: number, steps: number): Iterable<void> {
      for (let step = 0; step < steps; step++) {
        done.push(`${id}.${step}`)
        yield
      }
    }

    const reading = readPackets(readEntry(writer.take('a', 1)), (_from, _type, _kind, id) => {
      const steps = all[id]
      if (typeof steps === 'number') return work(id, steps)
      done.push(`${id}`)
      return undefined
    })
    let mostInStep = 0
    for (let before = 0, isOver = false; !isOver; before = done.length) {
      isOver = reading.next().done === true
      mostInStep = Math.max(mostInStep, done.length - before)
    }

    expect(done).toEqual(all.flatMap((steps, id) =>
      steps === null ? [`${id}`] : Array.from({ length: steps }, (_, step) => `${id}.${step}`)))
    expect(mostInStep).toBeLessThanOrEqual(17)
  }), { numRuns: 50 })
})
