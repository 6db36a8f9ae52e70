/** The server of this repository, through nothing but its commands and its configuration file. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import { freePort, makeFolder, startProgram, stopProgram, type Server } from './server.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const MAIN = join(ROOT, 'src', 'main.ts')
const AT_ONCE = 2

/** With these extensions and no other; nobody may register, whatever `registration` may do besides. */
export async function startHeliograph (extensions: readonly string[]): Promise<Server> {
  const folder = makeFolder('heliograph')
  const port = await freePort()
  writeFileSync(configFile(folder), configuration(folder, port, extensions))
  const child = await startProgram(
    process.execPath, [MAIN, 'serve', '--config', configFile(folder)], port, { cwd: folder })
  return { port, folder, stop: () => stopProgram(child, folder) }
}

/** Makes accounts as an administrator does. */
export async function addUsers (
  server: Server, accounts: readonly { readonly jid: string, readonly password: string }[],
): Promise<void> {
  const waiting = [...accounts]
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let account = waiting.shift(); account; account = waiting.shift()) {
      const { jid, password } = account
      await promisify(execFile)(
        process.execPath, [MAIN, 'user', 'add', jid, '--password', password, '--config', configFile(server.folder)])
    }
  }))
}

function configFile (folder: string): string {
  return join(folder, 'server.yaml')
}

function configuration (folder: string, port: number, extensions: readonly string[]): string {
  const bare: { readonly extensions?: Readonly<Record<string, unknown>> } =
    parse(readFileSync(join(ROOT, 'config', 'bare.yaml'), 'utf8'))
  const others = Object.entries(bare.extensions ?? {}).filter(([name]) => !extensions.includes(name))
  return stringify({
    ...bare,
    hosts: ['localhost'],
    data: join(folder, 'data'),
    database: 'embedded',
    listen: { client: `127.0.0.1:${port}` },
    auth: { 'require-tls': false },
    extensions: Object.fromEntries(others),
  })
}
