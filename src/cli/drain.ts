/** `heliograph drain`: shuts the running server down, as SIGTERM does, and waits for its end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CONFIG, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'
import { withServer } from './running-server.ts'

const LOOK_MS = 100

export const drain: Command = {
  usage: ['drain [--config FILE]'],
  summary: 'ends the running server; in a cluster its sessions go on at other nodes',
  async run (args) {
    const { values } = readArguments(args, CONFIG)
    const config = readConfig(values.config)
    const pid = await withServer(config, async server => {
      const { pid } = await server.status()
      await server.drain()
      return pid
    })
    if (pid === undefined) throw new Error(`no server runs on ${config.data}`)
    while (isRunning(pid)) await sleep(LOOK_MS)
    console.log('drained')
    return 0
  },
}

function isRunning (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch { // there is no such process
    return false
  }
}
