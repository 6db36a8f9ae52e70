/** What a room sends to many, and what comes of it where that fails for some. */
import { expect, test } from 'vitest'
import { Shares } from '../util/shares.ts'
import { Jid } from '../xmpp/jid.ts'
import { presence } from '../xmpp/stanza.ts'
import type { Muc } from './context.ts'
import { postEach } from './context.ts'
import { Affiliations } from './room/affiliations.ts'
import { Room } from './room/room.ts'

const STANZA = presence('available', {})

/** A room whose stanzas are all in flight for a moment, and what counts against its limit. */
function stage () {
  const room = new Room(Jid.parse('coven@conference.localhost'), {
    config: new Map(),
    affiliations: new Affiliations([]),
  })
  const errors: unknown[] = []
  const underWay = new Shares(1000, 1000)
  const muc = {
    underWay,
    router: { postAndWait: () => Promise.resolve() },
    log: {
      error: (entry: unknown) => {
        errors.push(entry)
      },
    },
  } as unknown as Muc // as much of it as sending needs
  return { muc, room, errors, underWay }
}

test.each([10, 5000])(
  'of %i occupants all get their stanza but those for whom it fails, which is logged once',
  async count => {
    const { muc, room, errors, underWay } = stage()
    const reached: number[] = []

    const { sent, arrived } = postEach(muc, room, Array.from({ length: count }, (_, n) => n), n => {
      if (n % 5 === 4) throw new Error('no presence')
      reached.push(n)
      return STANZA
    })
    await sent
    await arrived

    expect(reached).toHaveLength(count * 4 / 5)
    expect(errors).toHaveLength(1)
    expect(underWay.hasRoom(room.jid.toString())).toBe(true)
  })
