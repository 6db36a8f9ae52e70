/** The order of extensions: that of the list, except where `after` says otherwise. */
import type { Extension } from './host.ts'

/** The extensions in the order they run. Throws one error that lists every unknown name and every cycle in `after`. */
export function inOrder (extensions: readonly Extension[], known: readonly string[]): readonly Extension[] {
  const byName = new Map(extensions.map(e => [e.name, e]))
  const mistakes: string[] = []
  const ordered: Extension[] = []
  const state = new Map<string, 'visiting' | 'done'>()

  function visit (one: Extension, path: readonly string[]): void {
    if (state.get(one.name) === 'done') return
    if (state.get(one.name) === 'visiting') {
      mistakes.push(`extensions come after each other in a circle: ${[...path, one.name].join(' after ')}`)
      return
    }
    state.set(one.name, 'visiting')
    for (const name of one.after ?? []) {
      const before = byName.get(name)
      if (before) visit(before, [...path, one.name])
      else if (!known.includes(name)) mistakes.push(`${one.name} comes after ${name}, which does not exist`)
    }
    state.set(one.name, 'done')
    ordered.push(one)
  }

  for (const one of extensions) visit(one, [])
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  return ordered
}
