/**
 * The SQL of pending invitations, with a limit per room and a lifetime. Beyond the limit the inviter with the most
 * invitations loses the oldest, so that nobody shuts others out.
 */
import type { Database } from '../../storage/database.ts'
import { Jid } from '../../xmpp/jid.ts'

/** Per room; older ones can no longer be answered. */
const MOST = 1000
const DAYS = 30
const REMOVE_OLD = `delete from room_invitation where at < now() - interval '${DAYS} days'`

export interface InvitationStore {
  /** Stores the inviter; returns the invitees who had no pending invitation. */
  keep (room: Jid, inviter: Jid, invitees: readonly Jid[]): Promise<readonly Jid[]>
  /** Removes the invitation of that inviter; whether there was one. */
  take (room: Jid, invitee: Jid, inviter: Jid): Promise<boolean>
  /** Deletes expired invitations, in all rooms. */
  removeOld (): Promise<void>
}

export function invitationStore (db: Database): InvitationStore {
  return {
    keep: (room, inviter, invitees) => db.transaction(async transaction => {
      await transaction.query(`${REMOVE_OLD} and room = $1`, [room.toString()])
      const fresh = await transaction.query<{ readonly invitee: string, readonly is_new: boolean }>(
        `insert into room_invitation (room, invitee, inviter) select $1, unnest($3::text[]), $2
         on conflict (room, invitee) do update set inviter = excluded.inviter, at = excluded.at
         returning invitee, xmax = 0 as is_new`,
        [room.toString(), inviter.toString(), [...new Set(invitees.map(({ bare }) => bare.toString()))]])
      await transaction.query(
        `delete from room_invitation where room = $1 and invitee in (
           select invitee from (
             select invitee, at, row_number() over (partition by inviter order by at desc, invitee) as nth
             from room_invitation where room = $1) as ranked
           order by nth, at desc, invitee offset ${MOST})`, [room.toString()])
      return fresh.filter(row => row.is_new).map(row => Jid.parse(row.invitee))
    }),
    async take (room, invitee, inviter) {
      const rows = await db.query(
        `delete from room_invitation
          where room = $1 and invitee = $2 and inviter = $3 and at >= now() - interval '${DAYS} days' returning 1`,
        [room.toString(), invitee.toString(), inviter.toString()])
      return rows.length > 0
    },
    async removeOld () {
      await db.query(REMOVE_OLD)
    },
  }
}
