/**
 * The SQL of invitations that rooms have passed on: so many of each room, and for so long. Where there are too many, who
 * has passed on most loses his oldest: nobody shuts others out.
 */
import type { Database } from '../../storage/database.ts'
import { Jid } from '../../xmpp/jid.ts'

/** Of one room; an older one can't be answered any more. */
const MOST = 1000
const DAYS = 30
const REMOVE_OLD = `delete from room_invitation where at < now() - interval '${DAYS} days'`

export interface InvitationStore {
  /** Keeps who invited them; gives those who have none from before that is not answered yet. */
  keep (room: Jid, inviter: Jid, invitees: readonly Jid[]): Promise<readonly Jid[]>
  /** Whether somebody was invited by that one; he is not any more. */
  take (room: Jid, invitee: Jid, inviter: Jid): Promise<boolean>
  /** Forgets those that can't be answered any more, also in rooms that invite nobody else. */
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
        `delete from room_invitation where room = $1 and invitee = $2 and inviter = $3 and at >= now() - interval '${DAYS} days' returning 1`,
        [room.toString(), invitee.toString(), inviter.toString()])
      return rows.length > 0
    },
    async removeOld () {
      await db.query(REMOVE_OLD)
    },
  }
}
