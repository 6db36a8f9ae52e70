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
      const steps = readPackets(entry, (from, type, kind, id, header, body) =>
        read.push({ from, type, kind, id, header, body }))
      while (!steps.next().done);

      expect([entry.from, entry.counter]).toEqual(['a.Zk3xQ', first + i])
      expect(read).toEqual(packets.map(packet => ({
        from: 'a.Zk3xQ', ...packet, header: JSON.parse(JSON.stringify(packet.header)),
      })))
    }
  }), { numRuns: 50 })
})
