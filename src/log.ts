/**
 * The log: one JSON line per event on standard output, or coloured text where that is a terminal. It never holds a
 * body or a password: fields that could are blotted out, and of an error only what says where it comes from is kept.
 * What clients choose, such as an id, makes no line long, and nothing in a line controls a terminal.
 */
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'

export type { Logger } from 'pino'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = typeof LOG_LEVELS[number]

export interface LogOptions {
  readonly level: LogLevel
  /** Text for people in place of JSON; by default where the destination is a terminal. */
  readonly pretty?: boolean | undefined
}

/** What a line may say of where it comes from. */
export interface LogContext {
  readonly part?: string
  readonly extension?: string
  readonly stream?: string
  readonly session?: string
  readonly account?: string
  readonly host?: string
  readonly address?: string
}

/** The longest text of a field, in UTF-16 units; stacks and messages of errors may have more. */
const MAX_TEXT = 1000
const MAX_ERROR_TEXT = 8000

/**
 * C0 as JSON escapes it but for tab and newline, DEL, C1, separators of lines, and what overrides directions of
 * writing.
 */
const ESCAPED_CONTROLS = /\\(?:u00[01][\da-f]|[bfr]|.)/gi
const RAW_CONTROLS = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

const SECRETS = ['password', 'credentials', 'secret', 'body']

/** The log of the program, on standard output unless another destination is given. */
export async function openLog (options: LogOptions, destination?: DestinationStream): Promise<Logger> {
  const isForPeople = isTerminal(destination ?? process.stdout)
  const stream = escaping(destination ?? pino.destination(1))
  return pino({
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }), log: fields => shortened(fields) as Record<string, unknown> },
    serializers: { err: describeError },
    redact: SECRETS.flatMap(name => [name, `*.${name}`]),
  }, options.pretty ?? isForPeople ? await prettyStream(stream, isForPeople) : stream)
}

/** A log whose lines all carry `context`. */
export function childLog (log: Logger, context: LogContext): Logger {
  return log.child(context)
}

function isTerminal (stream: DestinationStream): boolean {
  return 'isTTY' in stream && stream.isTTY === true
}

async function prettyStream (destination: DestinationStream, colorize: boolean): Promise<DestinationStream> {
  const { prettyFactory } = await import('pino-pretty')
  const describe = prettyFactory({ colorize })
  return { write (line) { destination.write(describe(withVisibleControls(line))) } }
}

/** Control characters as JSON may write them, which reads the same. */
function escaping (destination: DestinationStream): DestinationStream {
  return { write (line) { destination.write(line.replace(RAW_CONTROLS, codeOf)) } }
}

/** A line of JSON whose texts have the codes of control characters in their place. */
function withVisibleControls (line: string): string {
  return line.replace(ESCAPED_CONTROLS, escape => /^\\(?:u|[bfr])/.test(escape) ? `\\${escape}` : escape)
    .replace(RAW_CONTROLS, character => `\\${codeOf(character)}`)
}

function codeOf (character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The same with no long text in it, however deep. */
function shortened (value: unknown): unknown {
  if (typeof value === 'string') return cut(value, MAX_TEXT)
  if (Array.isArray(value)) return value.map(shortened)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shortened(inner)]))
}

function cut (text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).toWellFormed()}… (${text.length} characters)` : text
}

interface ErrorDescription {
  readonly type: string
  readonly message: string
  readonly code?: unknown
  readonly stack?: string | undefined
  readonly cause?: ErrorDescription
}

// A database error's own fields (`detail`, `where`) can hold the row that failed, and so a message's body.
function describeError (error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: cut(String(error), MAX_ERROR_TEXT) }
  return {
    type: error.name,
    message: cut(error.message, MAX_ERROR_TEXT),
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack && cut(error.stack, MAX_ERROR_TEXT),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  }
}
