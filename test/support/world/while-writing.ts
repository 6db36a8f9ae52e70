/** Requests that come while the database is writing something on. */
import { expect } from 'vitest'
import type { World } from './world.ts'

const LOCK = 19

/** Asks all, while no row gets into the table until each has been asked; gives what they find. */
export async function whileWriting<T> (
  { db }: World,
  table: string,
  asks: readonly (() => Promise<T>)[],
): Promise<readonly T[]> {
  await db.query(`create function wait_to_write () returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(${LOCK}); return new; end $$`)
  await db.query(`create trigger wait_to_write before insert on ${table} for each row execute function wait_to_write()`)
  let found: readonly Promise<T>[] = []
  try {
    await db.transaction(async tx => {
      await tx.query(`select pg_advisory_xact_lock(${LOCK})`)
      found = asks.map(ask => ask())
      await expect.poll(() => db.query("select from pg_locks where locktype = 'advisory' and not granted"))
        .toHaveLength(1)
    })
    return await Promise.all(found)
  } finally {
    await db.query('drop function wait_to_write cascade')
  }
}
