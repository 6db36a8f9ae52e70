/** `heliograph reload`: makes the running server read its configuration and certificates again, as SIGHUP does. */
import { CONFIG, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'
import { withServer } from './running-server.ts'

export const reload: Command = {
  usage: ['reload [--config FILE]'],
  summary: 'lets the running server read config and certificates again',
  async run (args) {
    const { values } = readArguments(args, CONFIG)
    const config = readConfig(values.config)
    const unapplied = await withServer(config, server => server.reload())
    if (!unapplied) throw new Error(`no server runs on ${config.data}`)
    console.log('reloaded')
    for (const key of unapplied) console.log(`${key} has changed and needs a restart`)
    return 0
  },
}
