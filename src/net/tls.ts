/**
 * TLS as the server: STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368) wrap the same socket. A client that offers only
 * other protocols by ALPN is refused, one without ALPN is served. Gives channel bindings (RFC 9266, RFC 5929).
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Certificates } from './certificates.ts'
import type { SecureInfo } from './transport.ts'

/** XEP-0368 §3: the names of the two services. */
export type AlpnProtocol = 'xmpp-client' | 'xmpp-server'

/** The server's side of TLS for the connections of a listener. */
export class TlsServer {
  readonly #certificates: Certificates
  readonly #alpn: AlpnProtocol | undefined

  /** Without `alpn` what a client offers is ignored, as STARTTLS does not know it. */
  constructor (certificates: Certificates, alpn?: AlpnProtocol) {
    this.#certificates = certificates
    this.#alpn = alpn
  }

  /** Starts the handshake on a connected socket, with the certificate of `host` unless SNI says another. */
  wrap (socket: Socket, host: string): TLSSocket {
    return new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#certificates.contextFor(host),
      SNICallback: this.#pickContext,
      ...(this.#alpn ? { ALPNProtocols: [this.#alpn] } : {}),
    })
  }

  readonly #pickContext = (name: string, use: (error: Error | null, context?: SecureContext) => void): void => {
    use(null, this.#certificates.find(name))
  }
}

/** What a finished handshake can say. */
export class TlsInfo implements SecureInfo {
  readonly protocol: string
  readonly sni: string | undefined
  readonly #socket: TLSSocket

  constructor (socket: TLSSocket) {
    this.#socket = socket
    this.protocol = socket.getProtocol() ?? 'unknown'
    this.sni = socket.servername || undefined
  }

  exporter (): Buffer | undefined {
    // RFC 9266 §4.2: not on TLS 1.2 without the extended master secret, and Node can't tell whether it was used.
    if (this.protocol !== 'TLSv1.3' || this.#socket.destroyed) return undefined
    return this.#socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  }

  unique (): Buffer | undefined {
    // On TLS 1.2 it covers the handshake with the extended master secret only (RFC 7627 §1), and Node can't tell.
    if (this.protocol !== 'TLSv1.3' || this.#socket.destroyed) return undefined
    return this.#socket.isSessionReused() ? this.#socket.getFinished() : this.#socket.getPeerFinished()
  }

  serverEndPoint (): Buffer | undefined {
    const certificate = this.#socket.getX509Certificate()
    const hash = endPointHash(certificate?.signatureAlgorithm)
    return certificate && hash !== undefined ? createHash(hash).update(certificate.raw).digest() : undefined
  }
}

/** RFC 5929 §4.1: the hash of the certificate's own signature, SHA-256 in place of MD5 and SHA-1, or none. */
export function endPointHash (signatureAlgorithm: string | undefined): string | undefined {
  const [, hash] = /(md5|sha-?(?:1|224|256|384|512))(?!\d)/i.exec(signatureAlgorithm ?? '') ?? []
  if (hash === undefined) return undefined
  const name = hash.toLowerCase().replace('-', '')
  return name === 'md5' || name === 'sha1' ? 'sha256' : name
}
