/** What a room can be set to (XEP-0045 §16.5.3): one option's fields in the owner's form, and what is allowed in them. */
import type { Field } from '../xmpp/forms.ts'

/** A form's values by its fields' names. */
export type Values = ReadonlyMap<string, readonly string[]>

export interface RoomOption<T> {
  /** What a new room is set to. */
  readonly initial: T
  /** Its fields in the owner's form, filled in. */
  fields (value: T): readonly Field[]
  /** What a form says of it, or what it was where the form says nothing; throws StanzaError not-acceptable. */
  parse (values: Values, before: T): T
  /** What was kept, as far as it is allowed still; absent where all is that ever was. */
  restore? (values: Values): T
  /** The features that the room has because of it (§16.3). */
  features? (value: T): readonly string[]
  /** What `muc#roominfo` says of it (§16.5.4). */
  info? (value: T): readonly Field[]
}

/** What an option is called, and what it does besides. */
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
