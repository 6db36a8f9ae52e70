/** Asks the server of a domain whether a key of dialback is its own (XEP-0220 §2.1.2), on a stream for that alone. */
import type { Element } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { NS_DIALBACK } from '../xmpp/ns.ts'
import type { Connector } from './connector.ts'
import { dialbackElement, readDialback } from './dialback.ts'
import { Initiator } from './initiator.ts'
import type { Verifier } from './incoming-dialback.ts'
import type { ServerStream } from './server-stream.ts'

export class DialbackVerifier implements Verifier {
  readonly #connector: Connector

  constructor (connector: Connector) {
    this.#connector = connector
  }

  verify (originating: string, receiving: string, streamId: string, key: string): Promise<boolean> {
    return this.#connector.open({ local: receiving, remote: originating },
      stream => new VerifyStream(stream, receiving, originating, streamId, key))
  }
}

class VerifyStream extends Initiator<boolean> {
  /** Those that the key is for. */
  readonly #keyStreamId: string
  readonly #key: string
  #hasAsked = false

  constructor (stream: ServerStream, local: string, remote: string, keyStreamId: string, key: string) {
    super(stream, local, remote)
    this.#keyStreamId = keyStreamId
    this.#key = key
  }

  protected override negotiate (_features: Element): void {
    if (this.#hasAsked) return
    this.#hasAsked = true
    const { local: from, remote: to } = this
    this.stream.writeElement(dialbackElement({ name: 'verify', from, to, id: this.#keyStreamId, key: this.#key }))
  }

  protected override takeElement (frame: Frame): void {
    if (frame.ns !== NS_DIALBACK) throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
    const { name, from, to, id, type } = readDialback(frame)
    const isAnswer = name === 'verify' && from === this.remote && to === this.local && id === this.#keyStreamId
    if (!this.#hasAsked || !isAnswer || type === undefined) {
      throw new StreamError('invalid-from', 'an answer without a question')
    }
    if (type === 'error') return this.end('refused', 'it does not answer for that domain')
    this.resolve(type === 'valid')
    this.stream.close()
  }

  protected override over (): void {}
}
