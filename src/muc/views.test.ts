/** Whatever happens in a room, what each occupant was told adds up to what the room is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Jid } from '../xmpp/jid.ts'
import { changes, configures, COVEN, enters, leaves, parseStanza } from '../testing/rooms.ts'
import { world } from '../testing/world.ts'
import type { Client, World } from '../testing/world.ts'
import type { Room } from './room.ts'
import { NS_MUC_USER } from './ns.ts'

const NICKS = ['a', 'b', 'c', 'd']
const DEVICES = ['hag66@localhost/pda', 'hag66@localhost/desk', 'wiccarocks@localhost/laptop', 'hecate@localhost/broom']

const witch = fc.nat(DEVICES.length - 1)
const nick = fc.constantFrom(...NICKS)
const account = fc.constantFrom(...DEVICES.map(device => Jid.parse(device).bare.toString()))

const deed = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant('enter'), witch, nick }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('be'), witch, nick }) },
  fc.record({ does: fc.constant('leave'), witch, nick }),
  fc.record({ does: fc.constant('change'), nick, role: fc.constantFrom('none', 'visitor', 'participant', 'moderator') }),
  fc.record({ does: fc.constant('change'), jid: account, affiliation: fc.constantFrom('none', 'member', 'admin', 'outcast') }),
  fc.record({ does: fc.constant('configure'), membersonly: fc.constantFrom('0', '1') }),
  fc.record({ does: fc.constant('configure'), moderatedroom: fc.constantFrom('0', '1') }),
)

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never

async function perform (one: Deed, witches: readonly Client[], crone: Client): Promise<void> {
  const { does, ...what } = one
  if ('witch' in what) {
    const client = witches[what.witch] ?? expect.fail()
    if (does === 'enter') return enters(client, what.nick)
    if (does === 'leave') return leaves(client, what.nick)
    return client.sends(`<presence to='${COVEN}/${what.nick}'><show>away</show></presence>`)
  }
  await (does === 'change' ? changes(crone, [what]) : configures(crone, what)).catch(() => {}) // what is refused changes nothing
}

/** What a client makes of what it is told: who is in, and as what. */
class View {
  readonly present = new Map<string, string>()
  isIn = false

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

async function roomOf (server: World): Promise<Room> {
  return await server.core.rooms.room(Jid.parse(COVEN)) ?? expect.fail('no room')
}

async function checkViews (server: World, clients: readonly Client[]): Promise<void> {
  const room = await roomOf(server)
  const truth = [...room.occupants.values()].map(({ nick, affiliation, role }) => `${nick} ${affiliation}/${role}`).sort()
  for (const client of clients) {
    const view = new View()
    for (const xml of await client.received()) view.hear(xml)
    expect(view.isIn).toBe(room.session(client.session.jid) !== undefined)
    const seen = [...view.present].map(([nick, as]) => `${nick} ${as}`).sort()
    expect([client.session.jid.toString(), seen]).toEqual([client.session.jid.toString(), view.isIn ? truth : []])
  }
}

test('each occupant sees the room as it is', async () => {
  await fc.assert(fc.asyncProperty(fc.array(deed, { minLength: 5, maxLength: 25 }), async deeds => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    const witches: Client[] = []
    for (const device of DEVICES) witches.push(await server.client(device))
    await enters(crone, 'firstwitch')
    await configures(crone, {})

    for (const one of deeds) await perform(one, witches, crone)

    await checkViews(server, [crone, ...witches])
    await server.core.unload()
  }), { numRuns: 60 })
}, 120_000)
