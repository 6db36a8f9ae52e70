/**
 * Accounts that are no more: nobody who has their names later is anything in a room by that. The database notes the
 * rooms in the transaction that removes an account (the table `former_account`), and the name is nobody's until each of
 * them has forgotten it, at its home and in its turn; what can't be done at once is tried again.
 */
import type { Database } from '../storage/database.ts'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { applyChanges, tellChanges } from './change-affiliations.ts'
import type { NewAffiliation } from './change-affiliations.ts'
import { destroy } from './destroy.ts'
import { storeAffiliations } from './keep.ts'
import type { Muc } from './muc.ts'
import { NS_MUC_OWNER } from './ns.ts'
import type { Room } from './room.ts'

interface Row { readonly jid: string, readonly rooms: readonly string[] }

/** Lets a room forget an account, wherever its home is; rejects where that can't be now. */
export type ForgetAt = (room: Jid, account: Jid) => Promise<void>

/** Lets all rooms forget an account that was removed; rejects where one can't now. */
export async function forgetRemoved (db: Database, account: Jid, forgetAt: ForgetAt): Promise<void> {
  await forgetAll(db, await db.query<Row>('select jid, rooms from former_account where jid = $1', [account.toString()]), forgetAt)
}

/** The same for an account that no database knew. */
export async function forgetAnonymous (db: Database, account: Jid, forgetAt: ForgetAt): Promise<void> {
  await db.query('select forget_account($1)', [account.toString()])
  await forgetRemoved(db, account, forgetAt)
}

/** The same for all that are left over, by a node that has ended, or because something was away. */
export async function forgetLeftOver (db: Database, forgetAt: ForgetAt): Promise<void> {
  await forgetAll(db, await db.query<Row>('select jid, rooms from former_account'), forgetAt)
}

async function forgetAll (db: Database, rows: readonly Row[], forgetAt: ForgetAt): Promise<void> {
  for (const { jid, rooms } of rows) {
    for (const room of rooms) await forgetAt(Jid.parse(room), Jid.parse(jid))
    await db.query('delete from former_account where jid = $1', [jid])
  }
}

/** In the turn of a room that is at home here. */
export async function forgetAccount (muc: Muc, room: Room, account: Jid): Promise<void> {
  const { affiliation } = room.affiliations.get(account) ?? {}
  if (affiliation) {
    const heir = affiliation === 'owner' ? await nextOwner(muc, room, account) : undefined
    const changes: NewAffiliation[] = [{ jid: account, affiliation: 'none' }, ...heir ? [heir] : []]
    await storeAffiliations(muc, room, changes)
    await tellChanges(muc, room, applyChanges(room, changes))
  }
  await muc.forgotten(room, account)
  // Nobody could ever change it again.
  if (affiliation === 'owner' && room.isOpen && room.isPersistent && room.affiliations.listed('owner').length === 0) {
    await destroy(muc, room, el('destroy', NS_MUC_OWNER, {}, el('reason', NS_MUC_OWNER, {}, 'The room has no owner any more.')))
  }
}

/** Who owns the room when its last owner is gone: who was longest an admin, or else a member by others' doing. */
async function nextOwner ({ store, hosts }: Muc, room: Room, account: Jid): Promise<NewAffiliation | undefined> {
  if (room.affiliations.listed('owner').some(({ jid }) => !jid.equals(account))) return
  const jid = await store.findHeir(room.jid, account, hosts)
  return jid && { jid, affiliation: 'owner', by: 'request' }
}
