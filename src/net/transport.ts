/** A stream's connection: bytes in and out, and its TLS properties. TCP and WebSocket are alike. */
import type { XmlError } from '../xml/xml-error.ts'

/** Properties of TLS, for channel binding and for the log. */
export interface SecureInfo {
  /** As OpenSSL names it, e.g. `TLSv1.3`. */
  readonly protocol: string
  /** The host that the client asked for by SNI. */
  readonly sni: string | undefined
  /** RFC 9266: 32 bytes, or nothing where the connection can't give them. */
  exporter (): Buffer | undefined
  /** RFC 5929 §3: the first Finished message, where it covers the whole handshake. */
  unique (): Buffer | undefined
  /** RFC 5929 §4: the hash of the certificate that was presented. */
  serverEndPoint (): Buffer | undefined
}

export interface Transport {
  readonly kind: 'tcp' | 'websocket'
  readonly remoteAddress: string
  /** WebSocket only: it came from this machine or a listed balancer, which have ended TLS, or need none. */
  readonly mayBePlain: boolean
  readonly secure: SecureInfo | undefined
  /** Bytes written and not yet read by the peer. */
  readonly bufferedBytes: number
  /** Bytes ever handed to the socket: while more wait, it grows as the peer reads. */
  readonly sentBytes: number
  /** Resolves when the peer has little left to read, or is gone; undefined where that is so now. */
  drained (): Promise<void> | undefined
  /** Sends in order; what one tick writes to TCP leaves in one write, while on a WebSocket each call is a message. */
  write (data: Buffer | string): void
  /** Closes when what was written has left. */
  close (): void
  destroy (): void
  /** Counts bytes that the peer has caused as if they had been read from it, towards the read limit. */
  charge (bytes: number): void
  pause (): void
  resume (): void
  /** TCP only: the handshake of RFC 6120 §5 as the server, with the certificate of `host` unless SNI says another. */
  startTls? (host: string): Promise<void>
  /** TCP: any bytes; WebSocket: one whole message. */
  onData: (chunk: Buffer) => void
  /**
   * WebSocket only: what comes from now on can't be read. Called once, after all that came before; the connection is
   * to be closed.
   */
  onFault?: (fault: XmlError) => void
  /** Called once. */
  onClose: (reason?: Error) => void
}
