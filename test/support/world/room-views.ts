/** What tests of rooms may let happen, at random, and what each occupant makes of what it is told of it. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { Jid } from '../../../src/xmpp/jid.ts'
import { NS_MUC_USER } from '../../../src/muc/ns.ts'
import type { Room } from '../../../src/muc/room/room.ts'
import { changes, configures, COVEN, enters, leaves, parseStanza } from './rooms.ts'
import type { Client } from './world.ts'

const NICKS = ['a', 'b', 'c', 'd']
/** Who may come in. */
export const DEVICES = [
  'hag66@localhost/pda',
  'hag66@localhost/desk',
  'wiccarocks@localhost/laptop',
  'hecate@localhost/broom',
]

const witch = fc.nat(DEVICES.length - 1)
const nick = fc.constantFrom(...NICKS)
const account = fc.constantFrom(...DEVICES.map(device => Jid.parse(device).bare.toString()))

/** Something that somebody does. */
export const deed = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant('enter'), witch, nick }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('be'), witch, nick }) },
  fc.record({ does: fc.constant('leave'), witch, nick }),
  fc.record({
    does: fc.constant('change'),
    nick,
    role: fc.constantFrom('none', 'visitor', 'participant', 'moderator'),
  }),
  fc.record({
    does: fc.constant('change'),
    jid: account,
    affiliation: fc.constantFrom('none', 'member', 'admin', 'outcast'),
  }),
  fc.record({ does: fc.constant('configure'), membersonly: fc.constantFrom('0', '1') }),
  fc.record({ does: fc.constant('configure'), moderatedroom: fc.constantFrom('0', '1') }),
  fc.record({
    does: fc.constant('configure'),
    presencebroadcast: fc.subarray(['moderator', 'participant', 'visitor']),
  }),
)

export type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never

/** Lets it happen; `crone` owns the room. */
export async function perform (one: Deed, witches: readonly Client[], crone: Client): Promise<void> {
  const { does, ...what } = one
  if ('witch' in what) {
    const client = witches[what.witch] ?? expect.fail()
    if (does === 'enter') return enters(client, what.nick)
    if (does === 'leave') return leaves(client, what.nick)
    return client.sends(`<presence to='${COVEN}/${what.nick}'><show>away</show></presence>`)
  }
  await ('nick' in what || 'jid' in what ? changes(crone, [what]) : configures(crone, what)).catch(() => {}) // what is refused changes nothing
}

/** What a client makes of what it is told: who is in, and as what. */
export class View {
  readonly present = new Map<string, string>()
  isIn = false

  /** As `truthOf` says it. */
  get seen (): readonly string[] {
    return [...this.present].map(([nick, as]) => `${nick} ${as}`).sort()
  }

  hear (xml: string): void {
    const stanza = parseStanza(xml)
    const x = stanza.getChild('x', NS_MUC_USER)
    if (stanza.name !== 'presence' || !x || stanza.attrs['type'] === 'error') return
    const { affiliation, role } = x.getChild('item')?.attrs ?? {}
    const codes = x.getChildren('status').map(({ attrs }) => attrs['code'])
    const who = stanza.attrs['from']?.slice(COVEN.length + 1) ?? ''
    const isGone = stanza.attrs['type'] === 'unavailable'
    if (isGone) this.present.delete(who)
    else this.present.set(who, `${affiliation}/${role}`)
    if (!codes.includes('110')) return
    this.isIn = !isGone || codes.includes('303')
    if (!this.isIn) this.present.clear()
  }
}

/** What somebody who is in should see. */
export function truthOf (room: Room, viewer: Jid): readonly string[] {
  const self = room.session(viewer)?.occupant
  return [...room.occupants.values()].filter(occupant => occupant === self || room.shows(occupant.role)).map((
    { nick, affiliation, role },
  ) => `${nick} ${affiliation}/${role}`).sort()
}
