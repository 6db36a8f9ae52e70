/** Accounts in the database: one row each, with SCRAM keys in place of a password. */
import { batchedRead } from '../storage/batches.ts'
import type { Database } from '../storage/database.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Life } from '../xmpp/archive-ids.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Credentials, ScramHash, ScramKeys } from './credentials.ts'

/** With the account's generation: see `Life`. */
export type StoredCredentials = Credentials & Pick<Life, 'madeAt'>

/** Addresses are bare; a resource is ignored. */
export interface AccountStore {
  /**
   * Throws StanzaError conflict when the account exists, resource-constraint while an earlier one of this name is still
   * being removed.
   */
  create (jid: Jid, credentials: Credentials): Promise<void>
  /** Whether there was one. */
  remove (jid: Jid): Promise<boolean>
  /** Whether there is one. */
  setCredentials (jid: Jid, credentials: Credentials): Promise<boolean>
  exists (jid: Jid): Promise<boolean>
  /** Nothing where there is none. */
  lifeOf (jid: Jid): Promise<Life | undefined>
  find (jid: Jid): Promise<StoredCredentials | undefined>
  /** All of them, sorted. */
  list (): Promise<readonly Jid[]>
}

interface Row {
  readonly jid: string
  readonly scram_sha_1: string
  readonly scram_sha_256: string
  readonly scram_sha_512: string
}

const MADE_AT = '(extract(epoch from created_at) * 1000000)::int8::text as "madeAt"'

export function accountStore (db: Database): AccountStore {
  const readCredentials = batchedRead<string, StoredCredentials>(async jids => {
    const rows = await db.query<Row & Pick<Life, 'madeAt'>>(`
      select jid, scram_sha_1, scram_sha_256, scram_sha_512, ${MADE_AT} from account where jid = any($1)`, [jids])
    return new Map(rows.map(row => [row.jid, { ...credentialsOf(row), madeAt: row.madeAt }]))
  })
  const readLife = batchedRead<string, Life>(async jids => {
    const rows = await db.query<Pick<Row, 'jid'> & Life>(`
      select jid, ${MADE_AT}, had_numbers as "hadNumbers"
      from account where jid = any($1)`, [jids])
    return new Map(rows.map(row => [row.jid, row]))
  })

  async function touches (text: string, jid: Jid, credentials?: Credentials, by = db): Promise<boolean> {
    const values = credentials ? valuesOf(credentials) : []
    return (await by.query(text, [jid.bare.toString(), ...values])).length > 0
  }

  return {
    async create (jid, credentials) {
      await db.transaction(async transaction => {
        const isNew = await touches(
          `insert into account (jid, scram_sha_1, scram_sha_256, scram_sha_512) values ($1, $2, $3, $4)
           on conflict do nothing returning jid`, jid, credentials, transaction)
        if (!isNew) throw existing()
        // In a statement of its own: the one above may have waited for the transaction that removed the earlier account
        // of this name.
        const isFormer = await touches('select jid from former_account where jid = $1', jid, undefined, transaction)
        if (isFormer) throw beingRemoved()
      })
    },
    remove: jid => touches('delete from account where jid = $1 returning jid', jid),
    setCredentials: (jid, credentials) => touches(
      'update account set (scram_sha_1, scram_sha_256, scram_sha_512) = ($2, $3, $4) where jid = $1 returning jid',
      jid, credentials),
    exists: async jid => await readLife(jid.bare.toString()) !== undefined,
    lifeOf: jid => readLife(jid.bare.toString()),
    find: jid => readCredentials(jid.bare.toString()),
    async list () {
      const rows = await db.query<Pick<Row, 'jid'>>('select jid from account order by jid')
      return rows.map(row => Jid.kept(row.jid))
    },
  }
}

/** The error for a name that is taken. */
export function existing (): StanzaError {
  return new StanzaError('conflict', 'the account exists already')
}

function valuesOf (credentials: Credentials): readonly string[] {
  return (['SHA-1', 'SHA-256', 'SHA-512'] as const).map(hash => textOf(hash, credentials[hash]))
}

function credentialsOf (row: Row): Credentials {
  return {
    'SHA-1': keysOf(row.scram_sha_1),
    'SHA-256': keysOf(row.scram_sha_256),
    'SHA-512': keysOf(row.scram_sha_512),
  }
}

// RFC 5803 §2.
function textOf (hash: ScramHash, { salt, iterations, storedKey, serverKey }: ScramKeys): string {
  const [saltText, storedText, serverText] = [salt, storedKey, serverKey].map(bytes => bytes.toString('base64'))
  return `SCRAM-${hash}$${iterations}:${saltText}$${storedText}:${serverText}`
}

function keysOf (text: string): ScramKeys {
  const [, iterations = '', salt = '', storedKey = '', serverKey = ''] = text.split(/[$:]/)
  const bytes = (encoded: string): Buffer => Buffer.from(encoded, 'base64')
  return { iterations: Number(iterations), salt: bytes(salt), storedKey: bytes(storedKey), serverKey: bytes(serverKey) }
}

function beingRemoved (): StanzaError {
  const text = 'an account of this name is still being removed: try again later'
  return new StanzaError('resource-constraint', text, undefined, 'wait')
}
