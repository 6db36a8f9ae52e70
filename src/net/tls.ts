/**
 * The server's side of TLS, for STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368). A client whose ALPN offers only other
 * protocols is refused, one without ALPN is served. Provides channel bindings (RFC 9266, RFC 5929).
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Certificates } from './certificates.ts'
import type { SecureInfo } from './transport.ts'

/** XEP-0368 §3. */
export type AlpnProtocol = 'xmpp-client' | 'xmpp-server'

/** TLS for the connections of a listener. */
export class TlsServer {
  readonly #certificates: Certificates
  readonly #alpn: AlpnProtocol | undefined

  /** Without `alpn` the client's ALPN is ignored, as STARTTLS requires. */
  constructor (certificates: Certificates, alpn?: AlpnProtocol) {
    this.#certificates = certificates
    this.#alpn = alpn
  }

  /** Starts the handshake on a connected socket, with the certificate of `host` unless SNI names another. */
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

/** The properties of TLS after the handshake. */
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
    // RFC 9266 §4.2: not on TLS 1.2 without the extended master secret, whose use Node does not expose.
    if (this.protocol !== 'TLSv1.3' || this.#socket.destroyed) return undefined
    return this.#socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  }

  unique (): Buffer | undefined {
    // On TLS 1.2 it is safe with the extended master secret only (RFC 7627 §1), whose use Node does not expose.
    if (this.protocol !== 'TLSv1.3' || this.#socket.destroyed) return undefined
    return this.#socket.isSessionReused() ? this.#socket.getFinished() : this.#socket.getPeerFinished()
  }

  serverEndPoint (): Buffer | undefined {
    const certificate = this.#socket.getX509Certificate()
    const hash = endPointHash(certificate?.signatureAlgorithm)
    return certificate && hash !== undefined ? createHash(hash).update(certificate.raw).digest() : undefined
  }
}

/** RFC 5929 §4.1: the hash of the certificate's signature, SHA-256 in place of MD5 and SHA-1; undefined without one. */
export function endPointHash (signatureAlgorithm: string | undefined): string | undefined {
  const [, hash] = /(md5|sha-?(?:1|224|256|384|512))(?!\d)/i.exec(signatureAlgorithm ?? '') ?? []
  if (hash === undefined) return undefined
  const name = hash.toLowerCase().replace('-', '')
  return name === 'md5' || name === 'sha1' ? 'sha256' : name
}
