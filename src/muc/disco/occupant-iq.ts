/**
 * Requests between occupants (XEP-0045 §17.4): forwarded to one of the occupant's sessions, or to its account for what
 * accounts answer; answers come back under the nicks. The room itself answers a self-ping (XEP-0410).
 */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { result } from '../../xmpp/stanza.ts'
import type { Iq } from '../../xmpp/stanza.ts'
import { post } from '../context.ts'
import type { Muc } from '../context.ts'
import type { OccupantSession } from '../room/occupant.ts'
import type { Room } from '../room/room.ts'

const NS_PING = 'urn:xmpp:ping'
const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info'
const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items'
/** Namespaces that the user's account answers, whichever session is in the room: XEP-0054, and XEP-0084 by XEP-0163. */
const OF_ACCOUNTS: ReadonlySet<string> = new Set(['vcard-temp', 'http://jabber.org/protocol/pubsub'])

/** Throws where the request is refused. */
export function forwardIq (muc: Muc, room: Room, iq: Iq, to: Jid): void {
  if (iq.type !== 'get' && iq.type !== 'set') return returnAnswer(muc, room, iq, to)
  const session = room.session(iq.from)
  if (!session) throw refusal(iq)
  const target = room.occupant(to.resource)?.main
  if (!target) throw new StanzaError('item-not-found')
  if (target.occupant === session.occupant && iq.has('ping', NS_PING)) { // XEP-0410 §3.3
    post(muc, result(iq))
    return
  }
  const [payload] = iq.children
  const address = payload && iq.type === 'get' && OF_ACCOUNTS.has(payload.ns) ? target.jid.bare : target.jid
  post(
    muc,
    iq.withId(`${session.token}.${target.token}.${iq.id}`).withAddress(session.occupant.jid, address).authoredBy(
      session.jid,
    ),
  )
}

/** XEP-0410 §3.2, and XEP-0045 §6.6 for requests that an occupant does not answer. */
export function refusal (iq: Iq): StanzaError {
  const isDisco = iq.has('query', NS_DISCO_INFO) || iq.has('query', NS_DISCO_ITEMS)
  return new StanzaError(isDisco ? 'bad-request' : 'not-acceptable', 'you are not in this room', undefined, 'cancel')
}

/** The answer goes to the session that asked, under the nick that was asked. */
function returnAnswer (muc: Muc, room: Room, answer: Iq, to: Jid): void {
  const [asker, asked, id] = split(answer.id ?? '')
  const session = room.occupant(to.resource)?.sessions.find(({ token }) => token === asker)
  const from = answer.from && sessionOf(room, answer.from, asked)
  if (session && from) post(muc, answer.withId(id).withAddress(from.occupant.jid, session.jid))
}

function split (id: string): readonly [string, string, string] {
  const first = id.indexOf('.')
  const second = id.indexOf('.', first + 1)
  return [id.slice(0, first), id.slice(first + 1, second), id.slice(second + 1)]
}

/** The session that answers: by its own address, or its account's. */
function sessionOf (room: Room, from: Jid, asked: string): OccupantSession | undefined {
  const sessions = from.isBare ? room.occupantsOf(from).flatMap(({ sessions }) => sessions) : [room.session(from)]
  return sessions.find(session => session?.token === asked)
}
