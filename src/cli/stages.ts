/** `heliograph stages`: prints the extensions in each stage, in the order they run. */
import { CONFIG, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'

export const stages: Command = {
  usage: ['stages [--config FILE]'],
  summary: 'prints the extensions in each stage, in their order',
  async run (args) {
    const { values } = readArguments(args, CONFIG)
    const { describeStages } = await import('../app/server.ts')
    process.stdout.write(await describeStages(readConfig(values.config)))
    return 0
  },
}
