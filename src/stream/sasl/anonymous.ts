/** RFC 4505: the SASL mechanism ANONYMOUS. Assigns a unique address that nobody can guess (XEP-0175). */
import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { SaslError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Exchange, LoginContext, Step } from './exchange.ts'

const MAX_TRACE = 255

/** An exchange of ANONYMOUS, which succeeds at once. */
export function anonymous (context: LoginContext): Exchange {
  return { respond: trace => logIn(context, trace) }
}

function logIn (context: LoginContext, trace: Buffer): Step {
  // RFC 4505 §2: at most 255 characters; the error is that of RFC 6120 §6.5.8
  if (!isUtf8(trace) || [...trace.toString()].length > MAX_TRACE) throw new SaslError('malformed-request')
  return { success: { jid: Jid.of(randomUUID(), context.domain), anonymous: true } }
}
