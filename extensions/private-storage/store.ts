/** The SQL of private data: one element per account, name and namespace. */
import type { Database, Written } from '../../src/extension/api.ts'

/** The XML of the element; undefined where none is stored. */
export async function readElement (
  db: Database, owner: string, name: string, ns: string,
): Promise<string | undefined> {
  const [row] = await db.query<{ readonly element: string }>(
    'select element from private_element where owner = $1 and name = $2 and ns = $3', [owner, name, ns])
  return row?.element
}

/** Stores the elements; returns the bytes of all that the owner has stored then. */
export async function saveElements (db: Database, owner: string, elements: readonly Written[]): Promise<number> {
  const last = new Map(elements.map(one => [`${one.ns} ${one.name}`, one])) // the last one of each name counts
  const all = [...last.values()]
  await db.query(
    `insert into private_element (owner, name, ns, element)
     select $1, unnest($2::text[]), unnest($3::text[]), unnest($4::text[])
     on conflict (owner, name, ns) do update set element = excluded.element`,
    [owner, all.map(({ name }) => name), all.map(({ ns }) => ns), all.map(({ xml }) => xml)])
  const [stored] = await db.query<{ readonly bytes: number }>(
    'select sum(octet_length(element)) as bytes from private_element where owner = $1', [owner])
  return stored?.bytes ?? 0
}
