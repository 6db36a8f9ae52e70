/** XEP-0045 §16.6.2: the status codes of muc#user. */
import type { Jid } from './jid.ts'
import { NS_MUC_USER } from './ns.ts'
import type { Presence } from './stanza.ts'

export const STATUS = {
  nonAnonymous: 100,
  configured: 104,
  self: 110,
  logged: 170,
  loggedNoMore: 171,
  nowNonAnonymous: 172,
  nowSemiAnonymous: 173,
  created: 201,
  banned: 301,
  newNick: 303,
  kicked: 307,
  affiliationLost: 321,
  nowMembersOnly: 322,
  shutdown: 332,
  technical: 333,
} as const

const SELF = Buffer.from(String(STATUS.self))

/** The room that the recipient has left by this presence (§7.14, §8.2); undefined for a change of nick (§7.6). */
export function leftRoom (presence: Presence): Jid | undefined {
  if (presence.type !== 'unavailable' || !presence.inner.includes(SELF)) return // most are others': nothing to parse
  const statuses = presence.payload('x', NS_MUC_USER)?.getChildren('status') ?? []
  const codes = statuses.map(status => Number(status.attrs['code']))
  return codes.includes(STATUS.self) && !codes.includes(STATUS.newNick) ? presence.from?.bare : undefined
}
