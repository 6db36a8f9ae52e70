/** Access to the server of a data folder: the running one, or an opened core without sockets. */
import { AdminClient } from '../admin/admin-client.ts'
import { remoteCommands } from '../admin/commands.ts'
import type { ServerCommands } from '../admin/commands.ts'
import type { Config } from '../config/config.ts'
import type { AccountCommands } from '../extension/facets/accounts.ts'
import { openLog } from '../log.ts'

/** Calls `use` with the commands of the running server; resolves with undefined when none runs. */
export async function withServer<T> (
  config: Config, use: (server: ServerCommands) => Promise<T>,
): Promise<T | undefined> {
  const client = await AdminClient.connect(config.data)
  if (!client) return
  try {
    return await use(remoteCommands(client))
  } finally {
    client.close()
  }
}

/** Calls `use` with the accounts: through the running server, or on the database, opened for this call. */
export async function withAccounts (config: Config, use: (accounts: AccountCommands) => Promise<void>): Promise<void> {
  const asked = await withServer(config, async server => {
    await use(server.accounts)
    return true
  })
  if (!asked) await withCore(config, use)
}

async function withCore (config: Config, use: (accounts: AccountCommands) => Promise<void>): Promise<void> {
  const { openCore } = await import('../app/bootstrap.ts')
  await using open = await openCore(config, await openLog({ level: 'warn' }, process.stderr))
  await use(open.core.commands)
}
