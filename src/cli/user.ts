/** `heliograph user …`: manages accounts, whether or not the server runs. */
import type { AccountCommands } from '../extension/facets/accounts.ts'
import { Jid, JidError } from '../xmpp/jid.ts'
import { CONFIG, UsageError, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { askNewPassword, readPassword } from './password.ts'
import { readConfig } from './read-config.ts'
import { withAccounts } from './running-server.ts'

const PASSWORD = { ...CONFIG, 'password': { type: 'string' }, 'password-stdin': { type: 'boolean' } } as const

type Action = (args: readonly string[]) => Promise<void>

const ACTIONS: Readonly<Record<string, Action>> = {
  add: args => withPassword(args, async (accounts, jid, password) => {
    await accounts.add(jid, password)
    console.log(`${jid} was added`)
  }),
  password: args => withPassword(args, async (accounts, jid, password) => {
    await accounts.setPassword(jid, password)
    console.log(`${jid} has a new password`)
  }),

  async list (args) {
    const { values } = readArguments(args, CONFIG)
    await withAccounts(readConfig(values.config), async accounts => {
      for (const jid of await accounts.list()) console.log(jid.toString())
    })
  },

  async remove (args) {
    const { values, words: [address = ''] } = readArguments(args, CONFIG, 'JID')
    const jid = parseAddress(address)
    await withAccounts(readConfig(values.config), accounts => naming(jid, accounts.remove(jid)))
    console.log(`${jid} was removed`)
  },
}

export const user: Command = {
  usage: [
    'user add JID [--password PW | --password-stdin] [--config FILE]',
    'user password JID [--password PW | --password-stdin] [--config FILE]',
    'user remove JID [--config FILE]',
    'user list [--config FILE]',
  ],
  summary: 'accounts: without a password option one is asked for',
  async run ([name = '', ...args]) {
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (!action) throw new UsageError(`user needs one of ${Object.keys(ACTIONS).join(', ')}`)
    await action(args)
    return 0
  },
}

async function withPassword (
  args: readonly string[], use: (accounts: AccountCommands, jid: Jid, password: string) => Promise<void>,
): Promise<void> {
  const { values, words: [address = ''] } = readArguments(args, PASSWORD, 'JID')
  const jid = parseAddress(address)
  if (values.password !== undefined && values['password-stdin']) {
    throw new UsageError('--password and --password-stdin exclude each other')
  }
  const config = readConfig(values.config)
  const password = values.password ?? await (values['password-stdin'] ? readPassword() : askNewPassword(jid.toString()))
  await withAccounts(config, accounts => naming(jid, use(accounts, jid, password)))
}

function parseAddress (text: string): Jid {
  try {
    return Jid.parse(text)
  } catch (error) {
    if (error instanceof JidError) throw new UsageError(`"${text}" is no address: ${error.message}`)
    throw error
  }
}

// The error texts do not contain the address.
async function naming (jid: Jid, done: Promise<void>): Promise<void> {
  try {
    await done
  } catch (error) { // a StanzaError, from here or from the server
    throw new Error(`${jid}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
