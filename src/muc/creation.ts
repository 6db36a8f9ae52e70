/** XEP-0045 §10.1.1: who may make rooms, and how many. */
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Muc } from './muc.ts'

/** Throws not-allowed where somebody may not make one more. */
export async function checkCreator ({ limits: { create, roomsPerOwner }, hosts, store }: Muc, { bare }: Jid): Promise<void> {
  const isAllowed = create === 'anyone' || (create === 'local' && hosts.includes(bare.domain))
  if (!isAllowed) throw new StanzaError('not-allowed', 'rooms are not for everybody to make')
  if (roomsPerOwner > 0 && await store.countOwnedBy(bare) >= roomsPerOwner) throw new StanzaError('not-allowed', 'too many rooms')
}
