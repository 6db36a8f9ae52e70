/** The server as an administrator gets it who only gave it ports and accounts: TLS is required, and self-signed. */
import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder, startProgram } from '../../conformance/peers/server.ts'

const ENTRY = join(import.meta.dirname, '..', '..', 'heliograph.mjs')

export const PASSWORD = 'Wherefore art thou ☀?'

export interface Meeting {
  readonly port: number
  readonly tlsPort: number
  readonly httpPort: number
  /** The file of the certificate that the server made for itself. */
  readonly certificate: string
  readonly certificatePem: string
  stop (): Promise<void>
}

/** Starts it, with an account at `localhost` for each name. */
export async function startMeeting (...names: readonly string[]): Promise<Meeting> {
  const folder = makeFolder('meeting')
  const [port, tlsPort, httpPort] = await Promise.all([freePort(), freePort(), freePort()])
  const config = join(folder, 'server.yaml')
  writeFileSync(config, stringify({
    data: join(folder, 'data'),
    listen: {
      'client': `127.0.0.1:${port}`, 'client-tls': `127.0.0.1:${tlsPort}`, 'http': `127.0.0.1:${httpPort}`,
    },
    log: { level: 'warn' },
  }))
  const child = await startProgram(process.execPath, [ENTRY, 'serve', '--config', config], httpPort, { cwd: folder })
  for (const name of names) {
    const parameters = ['user', 'add', `${name}@localhost`, '--password', PASSWORD, '--config', config]
    await promisify(execFile)(process.execPath, [ENTRY, ...parameters])
  }
  const certificate = join(folder, 'data', 'tls-self-signed-cert.pem')
  return {
    port, tlsPort, httpPort, certificate,
    certificatePem: readFileSync(certificate, 'utf8'),
    async stop () {
      await endProgram(child)
      rmSync(folder, { recursive: true })
    },
  }
}
