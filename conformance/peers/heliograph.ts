/** The server of this repository, through nothing but its commands and its configuration file. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { endProgram, freePort, makeFolder, startProgram, type Server } from './server.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/**
 * With all its extensions as they come, or with none; where there are any, anybody may register. `more` is configured
 * besides.
 */
export async function startHeliograph (
  extensions: readonly string[], folder = makeFolder('heliograph'), more: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const port = await freePort()
  const config = join(folder, 'server.yaml')
  writeFileSync(config, stringify({ ...configuration(folder, port, extensions.length > 0), ...more }))
  const parameters = [join(ROOT, 'src', 'main.ts'), 'serve', '--config', config]
  const child = await startProgram(process.execPath, parameters, port, { cwd: folder })
  return { ports: [port], folder, end: () => endProgram(child) }
}

function configuration (folder: string, port: number, extensions: boolean): object {
  return {
    ...(extensions ? {} : parse(readFileSync(join(ROOT, 'config', 'bare.yaml'), 'utf8'))),
    hosts: ['localhost'],
    contact: { abuse: ['mailto:abuse@localhost'] },
    data: join(folder, 'data'),
    listen: { client: `127.0.0.1:${port}` },
    auth: { 'require-tls': false },
    registration: { open: extensions, 'per-address': 0 },
  }
}
