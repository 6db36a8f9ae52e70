/** `heliograph federation …`: acts on what waits for another server. */
import type { FederationCommands } from '../admin/commands.ts'
import { Jid } from '../xmpp/jid.ts'
import { CONFIG, UsageError, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'
import { withServer } from './running-server.ts'

/** Resolves with a sentence about what was done. */
type Action = (queues: FederationCommands, domain: string) => Promise<string>

const ACTIONS: Readonly<Record<string, Action>> = {
  async retry (queues, domain) {
    await queues.retry(domain)
    return `${domain} is being connected to`
  },
  async drop (queues, domain) {
    const messages = await queues.drop(domain)
    return `${messages} ${messages === 1 ? 'message' : 'messages'} for ${domain} went back to the senders`
  },
}

export const federation: Command = {
  usage: ['federation retry DOMAIN [--config FILE]', 'federation drop DOMAIN [--config FILE]'],
  summary: 'connects now to a server that messages wait for, or gives the messages back',
  async run ([name = '', ...args]) {
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (!action) throw new UsageError(`federation needs one of ${Object.keys(ACTIONS).join(', ')}`)
    const { values, words: [word = ''] } = readArguments(args, CONFIG, 'DOMAIN')
    const domain = parseDomain(word)
    const config = readConfig(values.config)
    const done = await withServer(config, server => action(server.federation, domain))
    if (done === undefined) throw new Error(`no server runs on ${config.data}`)
    console.log(done)
    return 0
  },
}

function parseDomain (word: string): string {
  const jid = Jid.tryParse(word)
  if (!jid?.isDomain) throw new UsageError(`"${word}" is no domain`)
  return jid.domain
}
