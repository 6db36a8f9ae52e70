/** Look-up of a stanza's children by name, which happens for each recipient of a stanza. */
import type { Child } from '../xml/framer.ts'

/** Up to so many children a scan is as fast as an index. */
const FEW = 32
/** An index costs as much as so many scans. */
const MANY_TIMES = 16

/** The scans of one content, which its copies share, and finally an index of its children's names by namespace. */
interface Kinds { asked: number, table?: ReadonlyMap<string, ReadonlySet<string>> }

const known = new WeakMap<readonly Child[], Kinds>()

/** Whether there is a child of that name and namespace. Many children cost no more per recipient than few. */
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
