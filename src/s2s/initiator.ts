/**
 * How each stream begins that this server opens (RFC 6120 §4.2, §5.4): header, features, TLS, and features again. What
 * is said then is the business of what extends it.
 */
import { ignore } from '../util/ignore.ts'
import { el, parseElement } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Frame, StreamStart } from '../xml/framer.ts'
import type { StreamError } from '../xmpp/errors.ts'
import { NS_STREAM, NS_TLS } from '../xmpp/ns.ts'
import { tlsFailure } from './connector.ts'
import type { Opening } from './connector.ts'
import { LinkError } from './link.ts'
import type { LinkErrorKind } from './link.ts'
import type { ServerStream } from './server-stream.ts'
import { linkErrorOf } from './stream-link.ts'

export abstract class Initiator<Result> implements Opening<Result> {
  readonly local: string
  readonly remote: string
  protected readonly stream: ServerStream
  /** Of the stream as it is now, given by the other server. */
  protected streamId = ''
  /** What the stream is lost by, in place of how it ended. */
  protected failure: LinkError | undefined
  readonly #result = Promise.withResolvers<Result>()
  #awaitsProceed = false
  #isSecuring = false

  constructor (stream: ServerStream, local: string, remote: string) {
    this.stream = stream
    this.local = local
    this.remote = remote
    this.#result.promise.catch(ignore) // a stream that is lost later has nobody waiting
  }

  get done (): Promise<Result> { return this.#result.promise }

  begin (): void {
    this.stream.writeHeader({ from: this.local, to: this.remote })
  }

  opened ({ id, version }: StreamStart): void {
    this.streamId = id ?? ''
    if (!/^[1-9][0-9]*\.[0-9]+$/.test(version ?? '')) this.end('refused', 'it does not speak XMPP 1.0')
  }

  take (frame: Frame): void | Promise<void> {
    if (frame.ns === NS_STREAM && frame.name === 'features') return this.#takeFeatures(parseElement(frame))
    if (frame.ns === NS_TLS && this.#awaitsProceed) return this.#takeTls(frame)
    return this.takeElement(frame)
  }

  #takeFeatures (features: Element): void {
    if (this.stream.transport.secure) return this.negotiate(features)
    if (!features.getChild('starttls', NS_TLS)) return this.end('refused', 'STARTTLS is not offered')
    this.#awaitsProceed = true
    this.stream.writeElement(el('starttls', NS_TLS))
  }

  #takeTls (frame: Frame): void | Promise<void> {
    this.#awaitsProceed = false
    if (frame.name !== 'proceed' || this.stream.hasMore) return this.end('unreachable', 'STARTTLS failed')
    this.#isSecuring = true
    return this.stream.startTls(this.remote).then(() => {
      this.#isSecuring = false
      this.begin()
    }, ignore) // the connection is closed, and the stream lost
  }

  /** The features of a stream with TLS, each time that they come. */
  protected abstract negotiate (features: Element): void

  /** Takes any other element. */
  protected abstract takeElement (frame: Frame): void | Promise<void>

  /** The stream is over. */
  protected abstract over (reason: LinkError): void

  protected resolve (result: Result): void {
    this.#result.resolve(result)
  }

  /** Ends the stream for a reason of this server's. */
  protected end (kind: LinkErrorKind, message: string, error?: StreamError): void {
    this.failure = new LinkError(kind, message)
    this.stream.close(error)
  }

  closed (): void {}

  lost (reason: Error | undefined): void {
    const error = this.failure ?? (this.#isSecuring ? tlsFailure(reason) : linkErrorOf(reason))
    this.#result.reject(error)
    this.over(error)
  }
}
