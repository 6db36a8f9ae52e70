/** An option of a room's configuration (XEP-0045 §16.5.3): its fields in the owner's form, and their validation. */
import type { Field } from '../xmpp/forms.ts'

/** The values of a form, by field name. */
export type Values = ReadonlyMap<string, readonly string[]>

export interface RoomOption<T> {
  /** The value in a new room. */
  readonly initial: T
  /** Its fields in the owner's form, filled in. */
  fields (value: T): readonly Field[]
  /** The value in a submitted form, or `before` where the form lacks the field; throws StanzaError not-acceptable. */
  parse (values: Values, before: T): T
  /** The stored value, brought within today's limits; absent where every stored value is still valid. */
  restore? (values: Values): T
  /** The features of the room that follow from the value (§16.3). */
  features? (value: T): readonly string[]
  /** Its fields in `muc#roominfo` (§16.5.4). */
  info? (value: T): readonly Field[]
}

/** The name, label and effects of an option with one value. */
export interface Described<T> {
  readonly name: string
  readonly label: string
  readonly initial: T
  readonly features?: (value: T) => readonly string[]
  readonly info?: (value: T) => readonly Field[]
}

export interface DescribedNumber extends Described<number> {
  readonly least: number
  readonly most: number
  readonly suggested?: readonly number[]
}
