/** XEP-0045 §10.1.1: who may make rooms, and how many. */
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Muc } from './muc.ts'

/** Throws not-allowed where somebody may not make one more. */
export async function checkCreator (muc: Muc, { bare }: Jid): Promise<void> {
  const { limits: { roomsPerOwner }, store } = muc
  if (!await mayCreate(muc, bare)) throw new StanzaError('not-allowed', 'rooms are not for everybody to make')
  if (roomsPerOwner === 0) return
  const owned = await store.countOwnedBy(bare) + muc.countLocked(bare)
  if (owned >= roomsPerOwner) throw new StanzaError('not-allowed', 'too many rooms')
}

/** An anonymous account is another each time: no limit would hold, and what it left would be nobody's. */
async function mayCreate ({ limits: { create }, hosts, accounts }: Muc, account: Jid): Promise<boolean> {
  if (create === 'local') return hosts.includes(account.domain) && accounts.lasts(account)
  return create === 'anyone'
}
