/**
 * XEP-0421: Occupant identifiers for semi-anonymous MUCs. A user's stanzas in a room always have the same id, whatever
 * the nick. It reveals neither the user's address nor the id in another room.
 */
import { createHmac } from 'node:crypto'
import { extension } from '../../src/extension/api.ts'
import type { Child, ExtensionHost, OccupantView, RoomView } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:occupant-id:0'
const NAME = 'occupant-id'

export const occupantId = extension({
  name: 'occupant-id',
  xeps: ['0421@1.0.1'],
  setup (host) {
    host.disco.feature(NS, 'room')
    host.disco.feature(NS, 'rooms') // §4: since it is on in every room
    const elementOf = writer(host)
    host.on('room', 'rewrite', (message, room, sender) =>
      message.withoutPayload(isId).withWritten(NAME, NS, elementOf(room, sender)))
    host.on('room', 'present', (presence, room, occupant) =>
      presence.withoutPayload(isId).withWritten(NAME, NS, elementOf(room, occupant)))
  },
})

function isId ({ name, ns }: Child): boolean {
  return name === NAME && ns === NS
}

/** A text that is unique to the account, also among former and later accounts of its name. */
function whoIs ({ account, life }: OccupantView): string {
  return life === '' ? account.toString() : `${account}\0${life}`
}

/** §4.1: an HMAC of the account, with a secret per room that is derived from that of the installation. */
function writer (host: ExtensionHost): (room: RoomView, occupant: OccupantView) => string {
  let secret: Buffer | undefined
  const secrets = host.rooms.data(async (_db, room) => {
    secret ??= await host.secret('occupant-id')
    return createHmac('sha256', secret).update(room.toString()).digest()
  })
  const written = new WeakMap<OccupantView, string>()
  return (room, occupant) => {
    const before = written.get(occupant)
    if (before !== undefined) return before
    const id = createHmac('sha256', secrets.of(room)).update(whoIs(occupant)).digest('base64url')
    const xml = `<${NAME} xmlns='${NS}' id='${id}'/>`
    written.set(occupant, xml)
    return xml
  }
}
