/** The connection of a stream, over TCP or WebSocket: bytes in and out, and its TLS properties. */
import type { XmlError } from '../xml/xml-error.ts'

/** What another server proves itself with. */
export interface PeerCertificate {
  /** DER. */
  readonly certificate: Buffer
  /** OpenSSL's code, e.g. `CERT_HAS_EXPIRED`; undefined where its chain is valid and ends at a trusted authority. */
  readonly problem: string | undefined
}

/** Properties of TLS, for channel binding, for proof and for the log. */
export interface SecureInfo {
  /** OpenSSL's name, e.g. `TLSv1.3`. */
  readonly protocol: string
  /** The host in the client's SNI. */
  readonly sni: string | undefined
  /** The certificate of the other server, where it was asked for and has one. */
  readonly peer: PeerCertificate | undefined
  /** RFC 9266: 32 bytes; undefined where the connection does not provide them. */
  exporter (): Buffer | undefined
  /** RFC 5929 §3: the first Finished message, where it covers the whole handshake. */
  unique (): Buffer | undefined
  /** RFC 5929 §4: the hash of the server's certificate. */
  serverEndPoint (): Buffer | undefined
}

export interface Transport {
  readonly kind: 'tcp' | 'websocket'
  readonly remoteAddress: string
  /** WebSocket only: it came from this machine or a listed balancer, which terminates TLS or needs none. */
  readonly mayBePlain: boolean
  readonly secure: SecureInfo | undefined
  /** Bytes written and not yet read by the peer. */
  readonly bufferedBytes: number
  /** Bytes ever handed to the socket: while more wait, it grows as the peer reads. */
  readonly sentBytes: number
  /** Resolves when the peer has little left to read, or is gone; undefined where that is so now. */
  drained (): Promise<void> | undefined
  /** Writes in order; on a WebSocket each call is a message. */
  write (data: Buffer | string): void
  /** Closes after all pending writes. */
  close (): void
  destroy (): void
  /** Counts bytes towards the read limit, as if they had been read from the peer. */
  charge (bytes: number): void
  pause (): void
  resume (): void
  /** TCP only: the handshake of RFC 6120 §5, with the certificate of `host` unless SNI names another. */
  startTls? (host: string): Promise<void>
  /** TCP: any bytes; WebSocket: one whole message. */
  onData: (chunk: Buffer) => void
  /**
   * WebSocket only: later messages can't be read. Called once, after all earlier ones; the callee closes the
   * connection.
   */
  onFault?: (fault: XmlError) => void
  /** Called once. */
  onClose: (reason?: Error) => void
}
