/**
 * Removed accounts: a later owner of the name inherits nothing in any room. The database notes each removed account
 * with its rooms in the transaction that removes it (table `former_account`); the name is blocked until each room, at
 * its owner node and in its turn, and each node has forgotten the account. Failed steps are retried.
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

/** Makes all nodes drop an account from memory; rejects where one can't now. */
export type ForgetAtNodes = (account: Jid) => Promise<void>

export interface Forgetting {
  readonly db: Database
  readonly log: Logger
  readonly atNodes: ForgetAtNodes
  /** Makes a room forget an account, at whichever node owns the room; rejects where that fails now. */
  readonly inRoom: (room: Jid, account: Jid) => Promise<void>
}

/** Makes all rooms and nodes forget a removed account; rejects where one can't now. */
export async function forgetRemoved (forgetting: Forgetting, account: Jid): Promise<void> {
  const [row] = await forgetting.db.query<Row>(
    'select jid, rooms from former_account where jid = $1', [account.toString()])
  if (row) await forget(forgetting, row)
}

/** The same for an anonymous account, which the database does not have. */
export async function forgetAnonymous (forgetting: Forgetting, account: Jid): Promise<void> {
  await forgetting.db.query('select forget_account($1)', [account.toString()])
  await forgetRemoved(forgetting, account)
}

/**
 * The same for all accounts that a dead node or an outage has left. A failure affects that account only: it is logged,
 * and retried the next time.
 */
export async function forgetLeftOver (forgetting: Forgetting): Promise<void> {
  const { db, log } = forgetting
  for (
    const row of await db.query<Row>(
      "select jid, rooms from former_account where removed_at < now() - interval '5 seconds'",
    )
  ) {
    try {
      await forget(forgetting, row)
    } catch (error) { // a node's, Redis's, the database's, or a mistake of a room's
      log.warn(
        { event: 'account.cleanup_delayed', err: error, account: row.jid },
        'account: cleanup of a removed account delayed',
      )
    }
  }
}

async function forget ({ db, atNodes, inRoom }: Forgetting, { jid, rooms }: Row): Promise<void> {
  const account = Jid.parse(jid)
  for (const room of rooms) await inRoom(Jid.parse(room), account)
  await atNodes(account)
  await db.query('delete from former_account where jid = $1', [jid])
}

/** In the turn of a room that this node owns. */
export async function forgetAccount (muc: Muc, room: Room, account: Jid): Promise<void> {
  const { affiliation } = room.affiliations.get(account) ?? {}
  if (affiliation) {
    const heir = affiliation === 'owner' ? await nextOwner(muc, room, account) : undefined
    const changes: NewAffiliation[] = [{ jid: account, affiliation: 'none' }, ...heir ? [heir] : []]
    await storeAffiliations(muc, room, changes)
    await announceChanges(muc, room, applyChanges(room, changes))
  }
  await muc.forgotten(room, account)
  // Without an owner nobody could change it any more.
  if (affiliation === 'owner' && room.isOpen && room.isPersistent && room.affiliations.listed('owner').length === 0) {
    await destroy(
      muc,
      room,
      el('destroy', NS_MUC_OWNER, {}, el('reason', NS_MUC_OWNER, {}, 'The room has no owner any more.')),
    )
  }
}

/** The heir of a room whose last owner is removed: who was an admin longest, or else a member that others appointed. */
async function nextOwner ({ store, hosts }: Muc, room: Room, account: Jid): Promise<NewAffiliation | undefined> {
  if (room.affiliations.listed('owner').some(({ jid }) => !jid.equals(account))) return
  const jid = await store.findHeir(room.jid, account, hosts)
  return jid && { jid, affiliation: 'owner', by: 'request' }
}
