/** `heliograph check`: reports every mistake in the configuration, without starting anything. */
import { CONFIG, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'

export const check: Command = {
  usage: ['check [--config FILE]'],
  summary: 'says every mistake in the config; exit 1 when there is one',
  async run (args) {
    const { values } = readArguments(args, CONFIG)
    const { warnings } = readConfig(values.config)
    for (const warning of warnings) console.log(`${values.config}: warning: ${warning}`)
    console.log(`${values.config}: no mistakes`)
    return 0
  },
}
