/**
 * Accounts that are no more: nobody who has their names later is anything by that, in a room or to anybody. The database
 * notes each, with its rooms, in the transaction that removes it (the table `former_account`), and the name is nobody's
 * until each of the rooms has forgotten it, at its home and in its turn, and so has each node; what can't be done at once
 * is tried again.
 */
import type { Logger } from '../../log.ts'
import type { Database } from '../../storage/database.ts'
import { el } from '../../xml/element.ts'
import { Jid } from '../../xmpp/jid.ts'
import { applyChanges, announceChanges } from './change-affiliations.ts'
import type { NewAffiliation } from './change-affiliations.ts'
import { destroy } from './destroy.ts'
import { storeAffiliations } from './persist.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_OWNER } from '../ns.ts'
import type { Room } from '../room/room.ts'

interface Row { readonly jid: string, readonly rooms: readonly string[] }

/** Lets all nodes forget an account that they have something of in memory; rejects where one can't now. */
export type ForgetAtNodes = (account: Jid) => Promise<void>

export interface Forgetting {
  readonly db: Database
  readonly log: Logger
  readonly atNodes: ForgetAtNodes
  /** Lets a room forget an account, wherever its home is; rejects where that can't be now. */
  readonly inRoom: (room: Jid, account: Jid) => Promise<void>
}

/** Lets all forget an account that was removed; rejects where one can't now. */
export async function forgetRemoved (forgetting: Forgetting, account: Jid): Promise<void> {
  const [row] = await forgetting.db.query<Row>('select jid, rooms from former_account where jid = $1', [account.toString()])
  if (row) await forget(forgetting, row)
}

/** The same for an account that no database knew. */
export async function forgetAnonymous (forgetting: Forgetting, account: Jid): Promise<void> {
  await forgetting.db.query('select forget_account($1)', [account.toString()])
  await forgetRemoved(forgetting, account)
}

/**
 * The same for all that are left over, by a node that has ended, or because something was away. One that can't be
 * forgotten now keeps none of the others: it is logged, and left over for the next time.
 */
export async function forgetLeftOver (forgetting: Forgetting): Promise<void> {
  const { db, log } = forgetting
  for (const row of await db.query<Row>("select jid, rooms from former_account where removed_at < now() - interval '5 seconds'")) {
    try {
      await forget(forgetting, row)
    } catch (error) { // a node's, Redis's, the database's, or a mistake of a room's
      log.warn({ event: 'account.cleanup_delayed', err: error, account: row.jid }, 'account: cleanup of a removed account delayed')
    }
  }
}

async function forget ({ db, atNodes, inRoom }: Forgetting, { jid, rooms }: Row): Promise<void> {
  const account = Jid.parse(jid)
  for (const room of rooms) await inRoom(Jid.parse(room), account)
  await atNodes(account)
  await db.query('delete from former_account where jid = $1', [jid])
}

/** In the turn of a room that is at home here. */
export async function forgetAccount (muc: Muc, room: Room, account: Jid): Promise<void> {
  const { affiliation } = room.affiliations.get(account) ?? {}
  if (affiliation) {
    const heir = affiliation === 'owner' ? await nextOwner(muc, room, account) : undefined
    const changes: NewAffiliation[] = [{ jid: account, affiliation: 'none' }, ...heir ? [heir] : []]
    await storeAffiliations(muc, room, changes)
    await announceChanges(muc, room, applyChanges(room, changes))
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
