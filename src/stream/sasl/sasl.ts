/** RFC 6120 §6: the SASL profile that every client supports. */
import { decodeBase64 } from '../../util/base64.ts'
import { SaslError } from '../../xmpp/errors.ts'
import { NS_SASL } from '../../xmpp/ns.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import type { Authenticator, Outcome } from './authenticator.ts'
import type { Offer, Step } from './exchange.ts'

/** The stream feature. */
export function mechanismsFeature (offer: Offer): Element {
  return el('mechanisms', NS_SASL, {}, offer.mechanisms.map(name => el('mechanism', undefined, {}, name)))
}

/** One per stream: handles the client's elements of this namespace. */
export class Sasl {
  readonly #authenticator: Authenticator

  constructor (authenticator: Authenticator) {
    this.#authenticator = authenticator
  }

  /** Answers an element. After a login the client begins a new stream. */
  async take (element: Element): Promise<Outcome> {
    try {
      return answer(await this.#advance(element))
    } catch (error) { // a SaslError; `refuse` rethrows any other
      return this.#authenticator.refuse(NS_SASL, error)
    }
  }

  async #advance (element: Element): Promise<Step> {
    switch (element.getName()) {
      case 'auth': return await this.#authenticator.begin(NS_SASL, element.attrs.mechanism, initialResponse(element))
      case 'response': return await this.#authenticator.respond(NS_SASL, decode(element.text()))
      case 'abort': throw new SaslError('aborted') // RFC 6120 §6.4.4
      default: throw new SaslError('malformed-request')
    }
  }
}

function answer (step: Step): Outcome {
  if ('challenge' in step) return { reply: el('challenge', NS_SASL, {}, step.challenge.toString('base64')) }
  return { reply: el('success', NS_SASL, {}, step.data?.toString('base64')), login: step.success }
}

/** RFC 6120 §6.4.2: an empty initial response is `=`, a missing one is an empty text. */
function initialResponse (element: Element): Buffer | undefined {
  const text = element.text()
  return text === '' ? undefined : decode(text)
}

function decode (text: string): Buffer {
  const data = text === '=' ? Buffer.alloc(0) : decodeBase64(text)
  if (!data) throw new SaslError('incorrect-encoding') // RFC 6120 §6.5.5
  return data
}
