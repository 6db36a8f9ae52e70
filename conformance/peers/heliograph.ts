/** The server of this repository, through nothing but its commands and its configuration file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { freePort } from './free-port.ts'
import { endProgram, makeFolder, startProgram, type NameServer, type Server } from './server.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** What scripts of XEP-0215 ask for; the others' configurations have the same. */
const SERVICES = [{ uri: 'stun:stun.example.org' }, { uri: 'turn:turn.example.org', secret: 'shared' }]

/**
 * With all its extensions as they come, or with none; where there are any, anybody may register. It talks to other
 * servers where it is told whom to ask for them. `more` is configured besides.
 */
export async function startHeliograph (
  extensions: readonly string[], folder = makeFolder('heliograph'), dns?: NameServer,
  more: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const port = await freePort()
  const serverPorts = dns ? [await freePort()] : []
  const config = join(folder, 'server.yaml')
  const listen = { client: `127.0.0.1:${port}`, ...serverPorts.length > 0 && { server: `127.0.0.1:${serverPorts[0]}` } }
  const federation = dns && { trust: 'dialback', resolver: `${dns.host}:${dns.port}` }
  writeFileSync(config, stringify({ ...configuration(folder, extensions.length > 0), listen, federation, ...more }))
  const parameters = [join(ROOT, 'src', 'main.ts'), 'serve', '--config', config]
  const child = await startProgram(process.execPath, parameters, serverPorts[0] ?? port, { cwd: folder })
  return { ports: [port], serverPorts, folder, end: () => endProgram(child) }
}

function configuration (folder: string, extensions: boolean): object {
  return {
    ...(extensions ? {} : parse(readFileSync(join(ROOT, 'config', 'bare.yaml'), 'utf8'))),
    hosts: ['localhost'],
    contact: { abuse: ['mailto:abuse@localhost'] },
    data: join(folder, 'data'),
    auth: { 'require-tls': false },
    registration: { open: extensions, 'per-address': 0 },
    ...extensions && { extensions: { calls: { services: SERVICES } } },
  }
}
