/** The server under attack: a process of its own, with every listener open, where anybody may register. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder, startProgram } from '../../conformance/peers/server.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export interface Target {
  readonly port: number
  readonly tlsPort: number
  readonly httpPort: number
  readonly pid: number
  stop (): Promise<void>
}

/** What a test sets; the other limits are those that an administrator gets. */
export type Limits = Readonly<Record<string, number>>

export async function startTarget (limits: Limits = {}): Promise<Target> {
  const folder = makeFolder('target')
  const [port, tlsPort, httpPort] = await Promise.all([freePort(), freePort(), freePort()])
  const config = join(folder, 'server.yaml')
  writeFileSync(config, stringify({
    hosts: ['localhost'],
    data: join(folder, 'data'),
    database: 'embedded',
    listen: {
      'client': `127.0.0.1:${port}`, 'client-tls': `127.0.0.1:${tlsPort}`, 'http': `127.0.0.1:${httpPort}`,
    },
    auth: { 'require-tls': false },
    registration: { 'open': true, 'per-address': 0 },
    limits,
    log: { level: 'warn' },
  }))
  const child = await startProgram(process.execPath, [MAIN, 'serve', '--config', config], httpPort, { cwd: folder })
  const { pid = 0 } = child
  return {
    port, tlsPort, httpPort, pid,
    async stop () {
      await endProgram(child)
      rmSync(folder, { recursive: true })
    },
  }
}

/** The most memory that the process ever held, in megabytes. */
export function peakMemory ({ pid }: Pick<Target, 'pid'>): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}
