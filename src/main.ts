/** `heliograph COMMAND …`: finds the command, and turns what it throws into a sentence and an exit code. */
import { ConfigError } from './config/config.ts'
import { UsageError } from './cli/command.ts'
import type { Command } from './cli/command.ts'
import { nearest } from './util/nearest.ts'
import { VERSION } from './util/version.ts'

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./cli/serve.ts')).serve,
  check: async () => (await import('./cli/check.ts')).check,
  user: async () => (await import('./cli/user.ts')).user,
  status: async () => (await import('./cli/status.ts')).status,
  drain: async () => (await import('./cli/drain.ts')).drain,
  federation: async () => (await import('./cli/federation.ts')).federation,
  reload: async () => (await import('./cli/reload.ts')).reload,
  stages: async () => (await import('./cli/stages.ts')).stages,
}

process.exitCode = await main(process.argv.slice(2))

async function main ([name = '', ...args]: readonly string[]): Promise<number> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if ([name, ...args].includes('--help')) return print(load ? usageOf([await load()]) : await help())
  if (name === '--version') return print(VERSION)
  if (!load) return refuse(describeUnknown(name), await help())
  const command = await load()
  try {
    return await command.run(args)
  } catch (error) { // whatever ends a command ends here
    if (error instanceof UsageError) return refuse(error.message, usageOf([command]))
    console.error(error instanceof ConfigError ? error.message : `heliograph: ${describe(error)}`)
    return 1
  }
}

function print (text: string): number {
  console.log(text)
  return 0
}

function refuse (sentence: string, usage: string): number {
  console.error(`heliograph: ${sentence}\n\n${usage}`)
  return 2
}

function describeUnknown (name: string): string {
  if (name === '') return 'which command?'
  const meant = nearest(name, Object.keys(COMMANDS))
  return `there is no command "${name}"${meant === undefined ? '' : `, did you mean "${meant}"?`}`
}

// A mistake of who called, or of the machine, has a sentence; a bug has a stack.
function describe (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error instanceof TypeError || error instanceof ReferenceError ? error.stack ?? error.message : error.message
}

async function help (): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map(load => load()))
  const summaries = commands.map(({ usage, summary }) => `  ${usage[0]?.split(' ')[0]?.padEnd(10)} ${summary}`)
  return `${usageOf(commands)}\n       heliograph --help | --version\n\n${summaries.join('\n')}`
}

function usageOf (commands: readonly Command[]): string {
  return commands.flatMap(command => command.usage)
    .map((form, index) => `${index === 0 ? 'usage:' : '      '} heliograph ${form}`).join('\n')
}
