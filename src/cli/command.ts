/** The interface of subcommands of `heliograph`, and the parser of their arguments. */
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import type { ParseArgsOptionsConfig } from 'node:util'

export interface Command {
  /** The usage behind `heliograph`, a line for each form. */
  readonly usage: readonly string[]
  readonly summary: string
  /** Resolves with the exit code; rejects with a UsageError, or with a sentence for the administrator. */
  run (args: readonly string[]): Promise<number>
}

/** The arguments are wrong; the message is a sentence about them. */
export class UsageError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Every command takes `--config FILE`. */
export const CONFIG = {
  config: { type: 'string', default: relative('', join(import.meta.dirname, '../../config/server.yaml')) },
} as const

/** Parses options, and exactly one word for each of `names`; throws a UsageError. */
export function readArguments<const Options extends ParseArgsOptionsConfig> (
  args: readonly string[], options: Options, ...names: readonly string[]
) {
  const { values, positionals } = parse(args, options)
  const missing = names[positionals.length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing`)
  const surplus = positionals[names.length]
  if (surplus !== undefined) throw new UsageError(`"${surplus}" is one word too many`)
  return { values, words: positionals }
}

function parse<const Options extends ParseArgsOptionsConfig> (args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) { // a TypeError with a sentence, ERR_PARSE_ARGS_…
    throw new UsageError(error instanceof Error ? error.message.replace(/\. To specify.*/s, '') : String(error))
  }
}
