/** Rosters in the database: one row per contact; those of removed contacts stay for a while, for versioning. */
import { batchedRead } from '../storage/batches.ts'
import type { Database } from '../storage/database.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Roster, RosterItem } from './roster.ts'
import type { Subscription } from './subscription.ts'

interface Row {
  readonly owner: string
  readonly contact: string
  readonly is_listed: boolean
  readonly name: string | null
  readonly groups: readonly string[]
  readonly subscription: Subscription
  readonly pending_out: boolean
  readonly approved: boolean
  readonly request: string | null
  readonly version: number
}

export interface RosterStore {
  load (owner: Jid): Promise<Roster>
  store (owner: Jid, item: RosterItem): Promise<void>
  remove (owner: Jid, contacts: readonly Jid[]): Promise<void>
}

export function rosterStore (db: Database): RosterStore {
  const read = batchedRead<string, Row[]>(async owners => {
    const rows = await db.query<Row>('select * from roster_item where owner = any($1)', [owners])
    return Map.groupBy(rows, row => row.owner)
  })
  return {
    async load (owner) {
      const rows = await read(owner.toString()) ?? []
      const items = new Map(rows.map(row => [row.contact, itemOf(row)]))
      return { items, version: rows.reduce((newest, row) => Math.max(newest, row.version), 0) }
    },
    async store (owner, item) {
      await db.query(
        `insert into roster_item
           (owner, contact, is_listed, name, groups, subscription, pending_out, approved, request, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (owner, contact) do update set is_listed = $3, name = $4, groups = $5, subscription = $6,
           pending_out = $7, approved = $8, request = $9, version = $10`,
        [owner.toString(), item.jid.toString(), item.isListed, item.name ?? null, item.groups, item.state.subscription,
          item.state.pendingOut, item.state.approved, item.request ?? null, item.version])
    },
    async remove (owner, contacts) {
      await db.query(
        'delete from roster_item where owner = $1 and contact = any($2)', [owner.toString(), contacts.map(String)])
    },
  }
}

/** What the rosters of these accounts say of one contact. */
export async function readContacts (
  db: Database, owners: readonly string[], contact: Jid,
): Promise<readonly RosterItem[]> {
  const rows = await db.query<Row>(
    'select * from roster_item where owner = any($1) and contact = $2', [owners, contact.toString()])
  return rows.map(itemOf)
}

function itemOf (row: Row): RosterItem {
  return {
    jid: Jid.kept(row.contact),
    isListed: row.is_listed,
    name: row.name ?? undefined,
    groups: row.groups,
    state: {
      subscription: row.subscription, pendingOut: row.pending_out, pendingIn: row.request !== null,
      approved: row.approved,
    },
    request: row.request ?? undefined,
    version: row.version,
  }
}
