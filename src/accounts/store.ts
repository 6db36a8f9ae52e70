/** Accounts in the database: one row each, with SCRAM keys (RFC 5802 §3) in place of a password. */
import { batchedRead } from '../storage/batches.ts'
import type { Database } from '../storage/database.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { SCRAM_HASHES } from './credentials.ts'
import type { Credentials, ScramKeys } from './credentials.ts'

/** Addresses are bare: a resource that one has is not looked at. */
export interface AccountStore {
  /** Throws StanzaError conflict when there is one already. */
  create (jid: Jid, credentials: Credentials): Promise<void>
  /** Whether there was one. */
  remove (jid: Jid): Promise<boolean>
  /** Whether there is one. */
  setCredentials (jid: Jid, credentials: Credentials): Promise<boolean>
  find (jid: Jid): Promise<Credentials | undefined>
  /** All of them, sorted. */
  list (): Promise<readonly Jid[]>
}

const COLUMNS = ['sha1', 'sha256', 'sha512'].flatMap(hash =>
  ['salt', 'iterations', 'stored_key', 'server_key'].map(name => `${hash}_${name}`))
const PLACES = COLUMNS.map((_, index) => `$${index + 2}`)

const CREATE = `insert into account (jid, ${COLUMNS.join(', ')}) values ($1, ${PLACES.join(', ')})
  on conflict do nothing returning jid`
const SET_CREDENTIALS = `update account set (${COLUMNS.join(', ')}) = (${PLACES.join(', ')}) where jid = $1 returning jid`

type Hash = 'sha1' | 'sha256' | 'sha512'
type Row =
  & { readonly jid: string }
  & { readonly [Column in `${Hash}_${'salt' | 'stored_key' | 'server_key'}`]: Buffer }
  & { readonly [Column in `${Hash}_iterations`]: number }

export function accountStore (db: Database): AccountStore {
  const read = batchedRead<string, Credentials>(async jids => {
    const rows = await db.query<Row>('select * from account where jid = any($1)', [jids])
    return new Map(rows.map(row => [row.jid, credentialsOf(row)]))
  })

  async function touches (text: string, jid: Jid, credentials?: Credentials): Promise<boolean> {
    const values = credentials ? valuesOf(credentials) : []
    return (await db.query(text, [jid.bare.toString(), ...values])).length > 0
  }

  return {
    async create (jid, credentials) {
      if (!await touches(CREATE, jid, credentials)) throw new StanzaError('conflict', 'the account exists already')
    },
    remove: jid => touches('delete from account where jid = $1 returning jid', jid),
    setCredentials: (jid, credentials) => touches(SET_CREDENTIALS, jid, credentials),
    find: jid => read(jid.bare.toString()),
    async list () {
      const rows = await db.query<Pick<Row, 'jid'>>('select jid from account order by jid')
      return rows.map(row => Jid.parse(row.jid))
    },
  }
}

// In the order of COLUMNS.
function valuesOf (credentials: Credentials): readonly unknown[] {
  return SCRAM_HASHES.flatMap(hash => {
    const { salt, iterations, storedKey, serverKey } = credentials[hash]
    return [salt, iterations, storedKey, serverKey]
  })
}

function credentialsOf (row: Row): Credentials {
  return { 'SHA-1': keysOf(row, 'sha1'), 'SHA-256': keysOf(row, 'sha256'), 'SHA-512': keysOf(row, 'sha512') }
}

function keysOf (row: Row, hash: Hash): ScramKeys {
  return {
    salt: row[`${hash}_salt`], iterations: row[`${hash}_iterations`],
    storedKey: row[`${hash}_stored_key`], serverKey: row[`${hash}_server_key`],
  }
}
