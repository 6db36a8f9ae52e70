/** Debian's HAProxy with the configuration that is shipped: its ports and nodes are those of a test. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../conformance/peers/free-port.ts'
import {
  endProgram, makeCertificate, makeFolder, requireProgram, startProgram,
} from '../../conformance/peers/server.ts'

export const HAPROXY = '/usr/sbin/haproxy'
export const HAPROXY_CONFIG = join(import.meta.dirname, '..', '..', 'deploy', 'haproxy.cfg')

export interface Node { readonly port: number, readonly tlsPort: number, readonly httpPort: number }

export interface Front {
  readonly port: number
  readonly tlsPort: number
  readonly httpsPort: number
  end (): Promise<void>
}

/** Why there is no HAProxy, after it was installed where that may be done; nothing when there is one. */
export function whyNoHaproxy (): string | undefined {
  try {
    requireProgram(HAPROXY, 'haproxy')
  } catch (error) { // not root, or no Debian, or no network
    return error instanceof Error ? error.message : String(error)
  }
}

/** The shipped configuration, with the certificate of `localhost`, in a file of `folder`. */
export function writeConfig (folder: string, change = (text: string): string => text): string {
  const { certificate, key } = makeCertificate(folder)
  const pem = join(folder, 'haproxy.pem')
  writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, change(readFileSync(HAPROXY_CONFIG, 'utf8').replaceAll('/etc/haproxy/certs/', pem)))
  return file
}

/** In front of these nodes, of which there may be less than the configuration has: those are away. */
export async function startHaproxy (nodes: readonly Node[], change = (text: string): string => text): Promise<Front> {
  const ports = { 5222: await freePort(), 5223: await freePort(), 443: await freePort() }
  const closed = await freePort()
  const away: Node = { port: closed, tlsPort: closed, httpPort: closed }
  const folder = makeFolder('haproxy')
  const file = writeConfig(folder, text => {
    const here = text.replaceAll(/bind :(\d+)/g, (_, port: keyof typeof ports) => `bind 127.0.0.1:${ports[port]}`)
      .replaceAll('check port 5280 ', 'check ')
    return change(here.replaceAll(/server (\w) node-\w:(\d+)/g, (_, name: string, port: string) => {
      const node = nodes[name.charCodeAt(0) - 'a'.charCodeAt(0)] ?? away
      const own = { 5222: node.port, 5223: node.tlsPort }[port] ?? node.httpPort
      return `server ${name} 127.0.0.1:${own} port ${node.httpPort}`
    }))
  })
  const child = await startProgram(HAPROXY, ['-db', '-f', file], ports[5222], { cwd: folder })
  return {
    port: ports[5222], tlsPort: ports[5223], httpsPort: ports[443],
    async end () {
      await endProgram(child)
      rmSync(folder, { recursive: true })
    },
  }
}
