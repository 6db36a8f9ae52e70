/** Stores rooms. A room that its owner has not configured yet is not stored. */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { entryOf } from './change-affiliations.ts'
import type { NewAffiliation } from './change-affiliations.ts'
import type { Muc } from '../context.ts'
import type { Config } from '../room/room-options.ts'
import type { Room } from '../room/room.ts'
import type { Besides } from '../store.ts'

/**
 * Resolves when the changes are on disk; throws where the room would have too many affiliations, or a nick two owners.
 */
export async function storeAffiliations (muc: Muc, room: Room, changes: readonly NewAffiliation[]): Promise<void> {
  checkChanges(muc, room, changes)
  if (room.isLocked) return
  await writeWith(muc, room, changes, besides => muc.store.storeAffiliations(room.jid, rowsOf(room, changes), besides))
  muc.affiliated(room, changes.map(({ jid }) => jid))
}

/** Resolves when the configuration and the changes are on disk; a room that was locked is stored completely. */
export async function storeConfig (
  muc: Muc,
  room: Room,
  config: Config,
  changes: readonly NewAffiliation[],
): Promise<void> {
  checkChanges(muc, room, changes)
  const all = room.isLocked
    ? [...room.affiliations].map(affiliate => ({ jid: affiliate.jid, affiliate })).filter(({ jid }) =>
      !changes.some(change => change.jid.equals(jid))
    )
    : []
  const rows = [...all, ...rowsOf(room, changes)]
  const most = room.isLocked ? muc.limits.roomsPerOwner : 0
  await writeWith(muc, room, changes, besides => muc.store.store(room, config, rows, besides, most))
  if (rows.length > 0) muc.affiliated(room, rows.map(({ jid }) => jid))
}

/**
 * A user who enters or asks for a group's messages accepts the affiliation that others gave. Resolves when that is
 * stored, or failed: it is then stored the next time. Undefined where nothing changes.
 */
export function accept (muc: Muc, room: Room, { bare }: Jid): Promise<void> | undefined {
  if (room.affiliations.get(bare)?.isUnasked) {
    return keepAcceptance(muc, room, bare).catch((error: unknown) => {
      muc.log.warn(
        { event: 'muc.entry_not_stored', err: error, room: room.jid.toString() },
        'muc: entry of a member not stored',
      )
    })
  }
}

/**
 * In the room's turn: runs the task, which tells the user that they have entered, after the acceptance is stored.
 * Messages of a group then go to all the user's devices from that point on.
 */
export function acceptFirst<T> (muc: Muc, room: Room, from: Jid, enter: () => T): T | Promise<T> {
  return accept(muc, room, from)?.then(enter) ?? enter()
}

async function keepAcceptance (muc: Muc, room: Room, account: Jid): Promise<void> {
  if (!room.isLocked) await muc.store.storeAcceptance(room.jid, account)
  const affiliate = room.affiliations.get(account)
  if (affiliate) room.affiliations.set({ ...affiliate, isUnasked: undefined })
  muc.affiliated(room, [account])
}

/** Stores the effective changes, and extensions' rows, in one transaction. */
async function writeWith (
  { affiliationWriters }: Muc, room: Room, changes: readonly NewAffiliation[],
  store: (besides: Besides) => Promise<void>,
): Promise<void> {
  const real = changes.map(({ jid, affiliation }) => ({
    jid,
    affiliation,
    before: room.affiliations.get(jid)?.affiliation ?? 'none' as const,
  }))
    .filter(({ affiliation, before }) => affiliation !== before)
  const afterCommit: (() => void)[] = []
  await store(async db => {
    if (real.length > 0) for (const write of affiliationWriters) afterCommit.push(await write(db, room, real))
  })
  for (const handler of afterCommit) handler()
}

function rowsOf (room: Room, changes: readonly NewAffiliation[]): Parameters<Muc['store']['store']>[2] {
  return changes.map(change => ({ jid: change.jid, affiliate: entryOf(room, change) }))
}

function checkChanges ({ limits }: Muc, room: Room, changes: readonly NewAffiliation[]): void {
  const added = changes.filter(({ jid, affiliation }) => affiliation !== 'none' && !room.affiliations.get(jid))
  if (added.length > 0 && room.affiliations.size + added.length > limits.members) {
    throw new StanzaError('resource-constraint', 'the room has too many affiliations')
  }
  for (const { jid, nick } of changes) {
    if (nick === undefined || nick === '') continue
    const owner = room.affiliations.ownerOfNick(nick)?.jid ?? room.lookalike(nick)?.account
    if (owner && !owner.equals(jid)) throw new StanzaError('conflict', 'this nickname belongs to somebody else')
  }
}
