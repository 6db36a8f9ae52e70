/**
 * Constructors of room options by type. Each option has its fields in the owner's form (XEP-0045 §16.5.3), their
 * validation, and its features and fields in service discovery.
 */
import type { OccupantRole } from '../../../xmpp/muc.ts'
import type { Described, DescribedNumber, RoomOption, Values } from '../../../extension/room-option.ts'
import { StanzaError } from '../../../xmpp/errors.ts'
import type { Choice } from '../../../xmpp/forms.ts'

/** A boolean option. */
export function flagOption ({ name, label, ...rest }: Described<boolean>): RoomOption<boolean> {
  return {
    ...rest,
    fields: value => [{ name, label, type: 'boolean', values: [value ? '1' : '0'] }],
    parse: (values, before) => flagIn(values, name) ?? before,
  }
}

/** XEP-0004 §3.3: the value of a boolean field; undefined where it is missing. */
export function flagIn (values: Values, name: string): boolean | undefined {
  const text = values.get(name)?.[0]
  if (text === undefined) return
  if (text === '1' || text === 'true') return true
  if (text === '0' || text === 'false') return false
  throw new StanzaError('not-acceptable', `${name} must be true or false`)
}

/** A text option of one line, or with `isLong` of several. */
export function textOption ({ name, label, isLong = false, maxLength = 1024, ...rest }: Described<string> & {
  readonly isLong?: boolean
  readonly maxLength?: number
}): RoomOption<string> {
  return {
    ...rest,
    fields: value =>
      [{ name, label, type: isLong ? 'text-multi' : 'text-single', values: value === '' ? [] : value.split('\n') }],
    parse (values, before) {
      const text = values.get(name)?.join('\n').trim()
      if (text !== undefined && text.length > maxLength)
        throw new StanzaError('not-acceptable', `${name} is too long: at most ${maxLength} characters are allowed`)
      return text ?? before
    },
  }
}

/** An option with a fixed list of values. */
export function choiceOption<const T extends string> ({ name, label, choices, ...rest }: Described<T> & {
  readonly choices: readonly (Choice & { readonly value: T })[]
}): RoomOption<T> {
  return {
    ...rest,
    fields: value => [{ name, label, type: 'list-single', values: [value], choices }],
    parse (values, before) {
      const text = values.get(name)?.[0]
      if (text === undefined) return before
      const choice = choices.find(({ value }) => value === text)
      if (!choice) throw new StanzaError('not-acceptable', `${name} must be one of the values in the form`)
      return choice.value
    },
  }
}

const ROLES: readonly (Choice & { readonly value: OccupantRole })[] = [
  { value: 'moderator', label: 'Moderators' }, { value: 'participant', label: 'Participants' },
  { value: 'visitor', label: 'Visitors' },
]

/** A set of roles, in a new room all of them. */
export function rolesOption (
  { name, label }: Pick<Described<unknown>, 'name' | 'label'>,
): RoomOption<readonly OccupantRole[]> {
  return {
    initial: ROLES.map(({ value }) => value),
    fields: value => [{ name, label, type: 'list-multi', values: value, choices: ROLES }],
    parse (values, before) {
      const given = values.get(name)
      if (given === undefined) return before
      const known = ROLES.filter(({ value }) => given.includes(value))
      if (known.length < new Set(given).size) {
        throw new StanzaError('not-acceptable', `${name} must have values in the form only`)
      }
      return known.map(({ value }) => value)
    },
  }
}

/** An integer option within limits. */
export function numberOption ({ name, label, least, most, suggested, ...rest }: DescribedNumber): RoomOption<number> {
  const choices = suggested?.map(number => ({ value: String(number), label: String(number) }))
  return {
    ...rest,
    fields: value => [choices
      ? { name, label, type: 'list-single', values: [String(value)], choices: withChoice(choices, value) }
      : { name, label, type: 'text-single', values: [String(value)], range: { least, most } }],
    parse (values, before) {
      const text = values.get(name)?.[0]
      if (text === undefined) return before
      const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
      if (!(number >= least && number <= most)) {
        throw new StanzaError('not-acceptable', `${name} must be from ${least} to ${most}`)
      }
      return number
    },
    restore (values) {
      const kept = values.get(name)?.[0]
      return kept === undefined ? rest.initial : Math.min(most, Math.max(least, Number(kept)))
    },
  }
}

function withChoice (choices: readonly Choice[], value: number): readonly Choice[] {
  const text = String(value)
  return choices.some(choice => choice.value === text) ? choices : [...choices, { value: text, label: text }]
}
