/** A server of another domain, which plays a script on each connection: over a real socket, and real TLS. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { CertificatePair } from '../../../src/net/self-signed.ts'

export const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

/** What is waited for, and then said; TLS begins behind PROCEED. */
export type Step = readonly [heard: string, say: string]

export interface ScriptedServer {
  readonly port: number
  /** All that it heard, by connection. */
  readonly heard: readonly string[]
  /** The names in the certificates that it was shown. */
  readonly shown: readonly (string | undefined)[]
  /** Says more on the last connection. */
  say (text: string): void
  /** Cuts all connections. */
  cut (): void
  close (): void
}

export interface ScriptedServerOptions {
  readonly script: readonly Step[]
  readonly pair: CertificatePair
  readonly isDirectTls?: boolean
}

export async function scriptedServer (
  { script, pair, isDirectTls = false }: ScriptedServerOptions,
): Promise<ScriptedServer> {
  const heard: string[] = []
  const shown: (string | undefined)[] = []
  const sockets = new Set<Socket>()
  let say = (_text: string): void => {}
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    const connection = heard.push('') - 1
    play(socket, [...script], {
      pair, isDirectTls,
      heard: text => { heard[connection] += text },
      secured: tls => { shown.push(tls.getPeerX509Certificate()?.subjectAltName) },
      speaking: write => { say = write },
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => { for (const socket of sockets) socket.destroy() }
  return {
    port: (server.address() as AddressInfo).port, heard, shown, cut,
    say (text) { say(text) },
    close () { cut(); server.close() },
  }
}

interface Play {
  readonly pair: CertificatePair
  readonly isDirectTls: boolean
  readonly heard: (text: string) => void
  readonly secured: (socket: TLSSocket) => void
  readonly speaking: (write: (text: string) => void) => void
}

function play (raw: Socket, steps: Step[], { pair, isDirectTls, heard, secured, speaking }: Play): void {
  let socket = raw
  let unanswered = ''
  const listen = (): void => {
    socket.on('data', chunk => {
      heard(chunk.toString())
      unanswered += chunk.toString()
      for (let step = steps[0]; step && unanswered.includes(step[0]); step = steps[0]) {
        steps.shift()
        unanswered = unanswered.slice(unanswered.indexOf(step[0]) + step[0].length)
        socket.write(step[1])
        if (step[1] === PROCEED) secure()
      }
    })
  }
  const secure = (): void => {
    raw.removeAllListeners('data')
    const { certificate: cert, key } = pair
    const tls = new TLSSocket(raw, { isServer: true, cert, key, requestCert: true, rejectUnauthorized: false })
    socket = tls.on('error', () => {}).on('secure', () => { secured(tls) })
    unanswered = ''
    listen()
  }
  speaking(text => { socket.write(text) })
  if (isDirectTls) secure()
  else listen()
}
