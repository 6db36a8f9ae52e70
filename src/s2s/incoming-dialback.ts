/**
 * Server dialback on the side that is connected to (XEP-0220 §2.2): as the receiving server it asks the authoritative
 * one for a key that it is shown, as the authoritative server it says whether a key is its own. Neither keeps a state
 * of keys: any node can answer.
 */
import type { Logger } from '../log.ts'
import { AddressLimit } from '../net/addresses.ts'
import { inBackground } from '../util/background.ts'
import { within } from '../util/within.ts'
import type { Element } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import type { StanzaErrorCondition } from '../xmpp/errors.ts'
import { StreamError } from '../xmpp/errors.ts'
import { dialbackAnswer, readDialback } from './dialback.ts'
import type { Dialback } from './dialback.ts'
import { LinkError } from './link.ts'
import type { DomainPolicy } from './settings.ts'
import { isDialbackKey } from './trust/dialback-key.ts'

/** Asks authoritative servers. */
export interface Verifier {
  /**
   * Whether the key for a stream from `originating` to `receiving`, which has that id, is one of `originating`'s own.
   * Rejects with a LinkError where its server can't be asked.
   */
  verify (originating: string, receiving: string, streamId: string, key: string): Promise<boolean>
}

export interface IncomingDialbackParts {
  readonly policy: DomainPolicy
  readonly isServed: (domain: string) => boolean
  /** Of the whole installation. */
  readonly secret: Buffer
  readonly verifier: Verifier
  readonly verifications: VerificationLimits
  readonly log: Logger
}

/** The stream that the keys are for. */
export interface VerifiedStream {
  readonly streamId: string
  readonly address: string
  readonly isClosed: boolean
  /** Whether the peer was proven for any pair. */
  readonly isProven: boolean
  /** Why the certificate does not prove that the peer is `remote`; undefined where it does. */
  certificateProblem (remote: string): string | undefined
  hasPair (local: string, remote: string): boolean
  /** False where the stream has too many pairs. */
  prove (local: string, remote: string, by: 'certificate' | 'dialback'): boolean
  writeElement (element: Element): void
  close (): void
  refused (local: string, remote: string, reason: string): void
}

/** The most verifications at a time: of one stream, for streams of one address, of all. */
const MAX_OF_STREAM = 10
const MAX_OF_ADDRESS = 30
const MAX_OF_ALL = 500
/** The time for one, after which the peer has no answer any more. */
const VERIFY_MS = 25_000

/** One for the whole node. */
export class VerificationLimits {
  readonly #addresses = new AddressLimit(MAX_OF_ADDRESS)
  #count = 0

  take (address: string): boolean {
    if (this.#count >= MAX_OF_ALL || !this.#addresses.take(address)) return false
    this.#count++
    return true
  }

  release (address: string): void {
    this.#count--
    this.#addresses.release(address)
  }
}

export class IncomingDialback {
  readonly #parts: IncomingDialbackParts
  readonly #stream: VerifiedStream
  #pending = 0
  #hasAnswered = false

  constructor (parts: IncomingDialbackParts, stream: VerifiedStream) {
    this.#parts = parts
    this.#stream = stream
  }

  /** Whether the stream has served to verify keys. */
  get hasAnswered (): boolean { return this.#hasAnswered }

  /** Takes an element of the namespace. What it asks of others takes its time, and the stream goes on. */
  take (frame: Frame): void {
    const asked = readDialback(frame)
    // XEP-0220 §4.1: nothing was asked on this stream.
    if (asked.type !== undefined) throw new StreamError('policy-violation', 'an answer without a question')
    const condition = this.#unacceptable(asked)
    if (condition !== undefined) return this.#fail(asked, condition)
    if (asked.name === 'verify') this.#answerVerify(asked)
    else this.#receive(asked)
  }

  /** The policy, before anything that costs. */
  #unacceptable ({ from, to }: Dialback): StanzaErrorCondition | undefined {
    const { isServed, policy } = this.#parts
    if (!isServed(to)) return 'item-not-found'
    return isServed(from) || !policy.isAllowed(from) ? 'policy-violation' : undefined
  }

  /** As the authoritative server. */
  #answerVerify (asked: Dialback): void {
    const { key = '', from, to, id = '' } = asked
    const isValid = isDialbackKey(key, this.#parts.secret, from, to, id)
    this.#hasAnswered = true
    this.#stream.writeElement(dialbackAnswer(asked, isValid ? 'valid' : 'invalid'))
  }

  /** As the receiving server. */
  #receive (asked: Dialback): void {
    const { from, to } = asked
    const { policy, verifications, log } = this.#parts
    const stream = this.#stream
    if (stream.hasPair(to, from)) return this.#prove(asked, 'dialback')
    const problem = stream.certificateProblem(from)
    if (problem === undefined) return this.#prove(asked, 'certificate')
    if (policy.trustOf(from) !== 'dialback') {
      stream.refused(to, from, `the certificate ${problem}`)
      return this.#fail(asked, 'not-authorized')
    }
    if (this.#pending >= MAX_OF_STREAM || !verifications.take(stream.address)) {
      return this.#fail(asked, 'resource-constraint')
    }
    this.#pending++
    inBackground(log, 'verification of a dialback key', this.#verify(asked).finally(() => {
      this.#pending--
      verifications.release(stream.address)
    }))
  }

  async #verify (asked: Dialback): Promise<void> {
    const { from, to, key = '' } = asked
    const stream = this.#stream
    let isValid: boolean
    try {
      isValid = await within(VERIFY_MS, this.#parts.verifier.verify(from, to, stream.streamId, key), late)
    } catch (error) { // §2.5, table 1
      const isUnknown = error instanceof LinkError && error.kind === 'not-found'
      this.#fail(asked, isUnknown ? 'remote-server-not-found' : 'remote-server-timeout')
      if (!(error instanceof LinkError)) throw error
      return stream.refused(to, from, `its own server can't be asked: ${error.message}`)
    }
    if (stream.isClosed) return
    if (isValid) return this.#prove(asked, 'dialback')
    stream.refused(to, from, 'its own server does not know the dialback key')
    if (stream.isProven) return this.#fail(asked, 'forbidden')
    stream.writeElement(dialbackAnswer(asked, 'invalid'))
    stream.close() // §2.2.1
  }

  #prove (asked: Dialback, by: 'certificate' | 'dialback'): void {
    const { from, to } = asked
    if (!this.#stream.prove(to, from, by)) return this.#fail(asked, 'resource-constraint')
    this.#stream.writeElement(dialbackAnswer(asked, 'valid'))
  }

  #fail (asked: Dialback, condition: StanzaErrorCondition): void {
    this.#stream.writeElement(dialbackAnswer(asked, 'error', condition))
  }
}

function late (): LinkError {
  return new LinkError('unreachable', 'it did not answer in time')
}
