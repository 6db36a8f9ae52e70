/**
 * The log: one JSON line per event on standard output, or coloured text where that is a terminal. It never holds a
 * body or a password: fields that could are blotted out, and of an error only what says where it comes from is kept.
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

const SECRETS = ['password', 'credentials', 'secret', 'body']

/** The log of the program, on standard output unless another destination is given. */
export async function openLog (options: LogOptions, destination?: DestinationStream): Promise<Logger> {
  const isForPeople = isTerminal(destination ?? process.stdout)
  const stream = destination ?? pino.destination(1)
  return pino({
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
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
  return { write (line) { destination.write(describe(line)) } }
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
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) }
  return {
    type: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  }
}
