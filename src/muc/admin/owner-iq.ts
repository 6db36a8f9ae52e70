/** XEP-0045 §10.1, §10.2 and §10.9: requests of owners (muc#owner): configuration and destruction. */
import type { ExtensionHost } from '../../extension/host.ts'
import type { IqRequest } from '../../extension/requests.ts'
import { visitorHandler } from '../visitor.ts'
import type { Visitor } from '../visitor.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { formValues, NS_FORMS } from '../../xmpp/forms.ts'
import { checkNewOwners } from './admin-changes.ts'
import { applyConfig } from './change-config.ts'
import { configForm, readConfig } from './config-form.ts'
import { destroy } from './destroy.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_OWNER, ROOM_CONFIG } from '../ns.ts'
import type { Room } from '../room/room.ts'

/** Answers muc#owner requests. */
export function registerOwnerIq (host: ExtensionHost, muc: Muc): void {
  const route = { to: ['room'], name: 'query', ns: NS_MUC_OWNER, isInTurn: true } as const
  host.iq({ ...route, type: 'get' }, visitorHandler((request, { room }) => {
    checkOwner(room, request)
    return el('query', NS_MUC_OWNER, {}, configForm(muc, room))
  }))
  host.iq({ ...route, type: 'set' }, visitorHandler((request, visitor) => change(muc, request, visitor)))
}

function checkOwner (room: Room, { from }: IqRequest): void {
  if (room.affiliationOf(from) !== 'owner') throw new StanzaError('forbidden')
}

function change (muc: Muc, request: IqRequest, visitor: Visitor): void | Promise<void> {
  const { room } = visitor
  checkOwner(room, request)
  const said = request.payload.getChild('destroy', NS_MUC_OWNER)
  if (said) return destroy(muc, room, said)
  const x = request.payload.getChild('x', NS_FORMS)
  if (x?.attrs['type'] === 'submit') return submit(muc, request, visitor, x)
  // §10.1.3: cancelling the first configuration destroys the room.
  if (x?.attrs['type'] === 'cancel') return room.isLocked ? destroy(muc, room, x) : undefined
  throw new StanzaError('bad-request', 'the request must contain a form')
}

async function submit (muc: Muc, { from }: IqRequest, { room, afterwards }: Visitor, x: Element): Promise<void> {
  const values = formValues(x)
  const type = values.get('FORM_TYPE')?.[0]
  if (type !== undefined && type !== ROOM_CONFIG) throw new StanzaError('bad-request', 'the form is of another type')
  const submitted = readConfig(muc, room, values)
  await checkNewOwners(muc, submitted.affiliations)
  const tell = await applyConfig(muc, room, submitted, from)
  afterwards(tell)
}
