/**
 * Both sides of TLS, for STARTTLS (RFC 6120 §5) and direct TLS (XEP-0368). A client whose ALPN offers only other
 * protocols is refused, one without ALPN is served. Between servers both sides show a certificate, and a bad one does
 * not end the handshake: the stream is told what is wrong with it. Provides channel bindings (RFC 9266, RFC 5929).
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { connect, TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Authorities } from './authorities.ts'
import { certificateName } from './certificate-pair.ts'
import type { Certificates, ServedPair } from './certificates.ts'
import { clientChainProblem } from './client-chain.ts'
import type { PeerCertificate, SecureInfo } from './transport.ts'

/** XEP-0368 §3. */
export type AlpnProtocol = 'xmpp-client' | 'xmpp-server'

/** A side of TLS. */
export interface TlsRole {
  /** Those that the other side's certificate is checked against, where it is asked for one. */
  readonly authorities?: Authorities | undefined
  /** Starts the handshake on a connected socket. */
  wrap (socket: Socket, host: string): TLSSocket
}

export interface TlsServerOptions {
  /** Without it the client's ALPN is ignored, as STARTTLS requires. */
  readonly alpn?: AlpnProtocol | undefined
  /** With them the client, another server, is asked for its certificate. */
  readonly authorities?: Authorities | undefined
}

/** TLS for the connections of a listener. */
export class TlsServer implements TlsRole {
  readonly authorities: Authorities | undefined
  readonly #certificates: Certificates
  readonly #alpn: AlpnProtocol | undefined

  constructor (certificates: Certificates, { alpn, authorities }: TlsServerOptions = {}) {
    this.authorities = authorities
    this.#certificates = certificates
    this.#alpn = alpn
  }

  /** Starts the handshake on a connected socket, with the certificate of `host` unless SNI names another. */
  wrap (socket: Socket, host: string): TLSSocket {
    return new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#contextOf(this.#certificates.pairFor(host)),
      SNICallback: this.#pickContext,
      requestCert: this.authorities !== undefined,
      rejectUnauthorized: false,
      ...(this.#alpn ? { ALPNProtocols: [this.#alpn] } : {}),
    })
  }

  readonly #pickContext = (name: string, use: (error: Error | null, context?: SecureContext) => void): void => {
    const pair = this.#certificates.find(name)
    use(null, pair && this.#contextOf(pair))
  }

  #contextOf (pair: ServedPair): SecureContext {
    return this.authorities?.contextOf(pair) ?? pair.context
  }
}

export interface TlsClientOptions {
  /** The domain whose certificate is shown. */
  readonly local: string
  readonly certificates: Certificates
  readonly authorities: Authorities
  /** For direct TLS. */
  readonly alpn?: AlpnProtocol | undefined
}

/** TLS for a connection to another server, with the domain asked for as SNI. */
export class TlsClient implements TlsRole {
  readonly authorities: Authorities
  readonly #options: TlsClientOptions

  constructor (options: TlsClientOptions) {
    this.authorities = options.authorities
    this.#options = options
  }

  wrap (socket: Socket, host: string): TLSSocket {
    const { local, certificates, authorities, alpn } = this.#options
    const servername = certificateName(host)
    return connect({
      socket,
      secureContext: authorities.contextOf(certificates.pairFor(local)),
      ...(isIP(servername) ? {} : { servername }), // RFC 6066 §3
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(alpn ? { ALPNProtocols: [alpn] } : {}),
    })
  }
}

/** The properties of TLS after the handshake. */
export class TlsInfo implements SecureInfo {
  readonly protocol: string
  readonly sni: string | undefined
  readonly peer: PeerCertificate | undefined
  readonly #socket: TLSSocket

  constructor (socket: TLSSocket, authorities: Authorities | undefined) {
    this.#socket = socket
    this.peer = authorities && peerOf(socket, authorities)
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

/** Node tells only its own servers what OpenSSL found: a socket that was wrapped has to be asked. */
interface Checked extends TLSSocket { readonly ssl: { verifyError (): NodeJS.ErrnoException | null } }

function peerOf (socket: TLSSocket, authorities: Authorities): PeerCertificate | undefined {
  // Not by getPeerX509Certificate, after which Node no longer knows the chain.
  const { raw: certificate }: { raw?: Buffer } = socket.getPeerCertificate()
  if (!certificate) return
  const problem = (socket as Checked).ssl.verifyError()?.code
  return { certificate, problem: problem === 'INVALID_PURPOSE' ? clientChainProblem(socket, authorities) : problem }
}

/** RFC 5929 §4.1: the hash of the certificate's signature, SHA-256 in place of MD5 and SHA-1; undefined without one. */
export function endPointHash (signatureAlgorithm: string | undefined): string | undefined {
  const [, hash] = /(md5|sha-?(?:1|224|256|384|512))(?!\d)/i.exec(signatureAlgorithm ?? '') ?? []
  if (hash === undefined) return undefined
  const name = hash.toLowerCase().replace('-', '')
  return name === 'md5' || name === 'sha1' ? 'sha256' : name
}
