/** Which kinds of children a stanza has: asked again and again for each of all that it is sent to. */
import type { Child } from '../xml/framer.ts'

/** So many children are looked through as fast as a table is. */
const FEW = 32
/** A table costs as much as so many looks at all children. */
const MANY_TIMES = 16

/** Of the copies of one content: how often it was asked for, and at last its children's names by namespace. */
interface Kinds { asked: number, table?: ReadonlyMap<string, ReadonlySet<string>> }

const known = new WeakMap<readonly Child[], Kinds>()

/** Whether one of them has that name and namespace. Many children cost no more for each recipient than few do. */
export function hasChild (children: readonly Child[], name: string, ns: string): boolean {
  const table = children.length > FEW ? tableOf(children) : undefined
  if (table) return table.get(ns)?.has(name) === true
  for (const child of children) if (child.name === name && child.ns === ns) return true
  return false
}

function tableOf (children: readonly Child[]): Kinds['table'] {
  const kinds = known.get(children)
  if (!kinds) known.set(children, { asked: 1 })
  else if (!kinds.table && ++kinds.asked > MANY_TIMES) kinds.table = makeTable(children)
  return kinds?.table
}

function makeTable (children: readonly Child[]): ReadonlyMap<string, ReadonlySet<string>> {
  const table = new Map<string, Set<string>>()
  for (const { name, ns } of children) {
    const names = table.get(ns)
    if (names) names.add(name)
    else table.set(ns, new Set([name]))
  }
  return table
}
