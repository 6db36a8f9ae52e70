/** The context that the facets of one extension's host share. */
import type { Parts } from '../parts.ts'

export interface Registration {
  /** The extension's name. */
  readonly name: string
  readonly parts: Parts
  /** Called in reverse order when the extension is unloaded. */
  readonly undo: (() => void)[]
}
