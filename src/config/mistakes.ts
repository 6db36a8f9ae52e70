/** Mistakes in a configuration, with a place, the value found and the values expected. */
import { z } from 'zod'
import { nearest } from '../util/nearest.ts'

export type Path = readonly PropertyKey[]

/** A mistake at a key of the configuration, without its place. */
export interface Flaw {
  readonly path: Path
  readonly text: string
}

/** A flaw with its place: `file:line`, or the environment variable. */
export interface Mistake extends Flaw {
  readonly where: string
  readonly line: number
}

/** All mistakes of a configuration; the message has a line for each. */
export class ConfigError extends Error {
  readonly mistakes: readonly Mistake[]

  constructor (mistakes: readonly Mistake[]) {
    const sorted = mistakes.toSorted((a, b) => a.line - b.line)
    super(sorted.map(describeMistake).join('\n'))
    this.name = 'ConfigError'
    this.mistakes = sorted
  }
}

function describeMistake ({ where, path, text }: Mistake): string {
  return `${where}: ${path.length > 0 ? `${path.join('.')}: ` : ''}${text}`
}

/** A schema by a function that parses a value; it returns undefined where the value is not the `expected` one. */
export function leaf<T> (expected: string, read: (value: unknown) => T | undefined): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const result = read(value)
    if (result !== undefined) return result
    context.issues.push({ code: 'custom', message: `expected ${expected}`, input: value })
    return z.NEVER
  })
}

/** A schema chosen by the value; unlike a union, it keeps the paths of mistakes. */
export function chosen<T> (choose: (value: unknown) => z.ZodType<T>): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const result = choose(value).safeParse(value, { error: describeExpected })
    if (result.success) return result.data
    for (const issue of result.error.issues) context.addIssue({ ...issue })
    return z.NEVER
  })
}

interface Checked<T> {
  readonly result: T | undefined
  readonly flaws: readonly Flaw[]
}

/** Parses `value` by a schema: the result, or the flaws. */
export function check<T> (schema: z.ZodType<T>, value: unknown): Checked<T> {
  const parsed = schema.safeParse(value, { error: describeExpected })
  if (parsed.success) return { result: parsed.data, flaws: [] }
  return { result: undefined, flaws: parsed.error.issues.flatMap(issue => describeIssue(issue, value)) }
}

function describeIssue (issue: z.core.$ZodIssue, tree: unknown): readonly Flaw[] {
  if (issue.code === 'unrecognized_keys') {
    const allowed = issue.message.split(' ').filter(key => key !== '')
    return issue.keys.map(key => ({ path: [...issue.path, key], text: describeUnknownKey(key, allowed) }))
  }
  const found = issue.code === 'invalid_key' ? issue.path.at(-1) : valueAt(tree, issue.path)
  const start = found === undefined ? 'is missing' : `found ${show(found, issue.path)}`
  return [{ path: issue.path, text: `${start}, ${issue.message}` }]
}

function describeUnknownKey (key: string, allowed: readonly string[]): string {
  const meant = nearest(key, allowed)
  const known = allowed.length === 0 ? 'nothing is allowed here' : `allowed here: ${allowed.join(', ')}`
  return `there is no such key${meant === undefined ? '' : `, did you mean "${meant}"?`} (${known})`
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false', array: 'a list',
  object: 'a map of keys to values', record: 'a map of keys to values',
}

// Messages for schemas without their own, such as extensions'. For unknown keys it lists the known ones.
function describeExpected (issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type': return `expected ${KINDS[issue.expected] ?? issue.expected}`
    case 'invalid_value': return `expected ${list(issue.values.map(value => String(value)))}`
    case 'too_small': return `expected ${relation(issue, 'at least', 'more than')} ${issue.minimum}`
    case 'too_big': return `expected ${relation(issue, 'at most', 'less than')} ${issue.maximum}`
    case 'invalid_key': return joinExpected(issue.issues)
    case 'invalid_union': return joinExpected(issue.errors.flat())
    case 'unrecognized_keys': return issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape).join(' ') : ''
    default: return issue.message ?? 'expected another value'
  }
}

function relation ({ inclusive }: { readonly inclusive?: boolean | undefined }, closed: string, open: string): string {
  return inclusive === false ? open : closed
}

function joinExpected (issues: readonly z.core.$ZodIssue[]): string {
  return [...new Set(issues.map(issue => issue.message))].join(' or ').replaceAll(' or expected ', ' or ')
}

/** Formats as `a`, `a or b` or `one of a, b, c`. */
export function list (values: readonly string[]): string {
  return values.length > 2 ? `one of ${values.join(', ')}` : values.join(' or ')
}

function show (value: unknown, path: Path): string {
  if (/password|secret|token/i.test(String(path.at(-1)))) return 'another value'
  const text = (JSON.stringify(value) ?? String(value)).replace(/:\/\/.*@/, '://…@')
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function valueAt (tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => isMap(at) || Array.isArray(at) ? Reflect.get(at, key) : undefined, tree)
}

/** Whether it is a YAML mapping. */
export function isMap (value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
