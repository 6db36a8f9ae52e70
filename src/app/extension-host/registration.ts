import type { Parts } from '../parts.ts'

/** What the facets of one extension's host share. */
export interface Registration {
  /** The extension's. */
  readonly name: string
  readonly parts: Parts
  /** Called in reverse order when the extension is unloaded. */
  readonly undo: (() => void)[]
}
