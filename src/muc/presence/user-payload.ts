/** XEP-0045 §7.2.2: `<x/>` of muc#user: an occupant's affiliation and role, and status codes. */
import type { Affiliation, Role } from '../../xmpp/muc.ts'
import { escapeAttribute, escapeText } from '../../xml/write.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import { NS_MUC_USER } from '../ns.ts'

export interface Item {
  readonly affiliation: Affiliation
  readonly role?: Role
  /** The real address, for those who may see it. */
  readonly jid?: Jid | undefined
  readonly nick?: string | undefined
}

/** Why an occupant's presence changed, and by whom. */
export interface PresenceCause {
  readonly statuses?: readonly number[]
  /** The nick of who did it. */
  readonly actor?: string | undefined
  readonly reason?: string | undefined
  /** Additional XML inside. */
  readonly extraXml?: string
}

/** The payload as XML. */
export function writeUserPayload (
  item: Item,
  { statuses = [], actor, reason, extraXml = '' }: PresenceCause,
  isSelf: boolean,
): string {
  const codes = isSelf ? [STATUS.self, ...statuses] : statuses
  return `<x xmlns='${NS_MUC_USER}'>${writeItem(item, actor, reason)}${extraXml}${writeStatuses(codes)}</x>`
}

/** `<status/>` for each code. */
export function writeStatuses (codes: readonly number[]): string {
  return codes.map(code => `<status code='${code}'/>`).join('')
}

function writeItem ({ affiliation, role, jid, nick }: Item, actor?: string, reason?: string): string {
  const inner = (actor === undefined ? '' : `<actor nick='${escapeAttribute(actor)}'/>`) +
    (reason === undefined || reason === '' ? '' : `<reason>${escapeText(reason)}</reason>`)
  const attributes = `affiliation='${affiliation}'` + attribute('role', role) + attribute('jid', jid?.toString()) +
    attribute('nick', nick)
  return inner === '' ? `<item ${attributes}/>` : `<item ${attributes}>${inner}</item>`
}

function attribute (name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}='${escapeAttribute(value)}'`
}
