/** RFC 4616: the SASL mechanism PLAIN, within TLS only. Checks the password against the SCRAM keys. */
import { isUtf8 } from 'node:buffer'
import { verifyPassword } from '../../accounts/credentials.ts'
import { SaslError } from '../../xmpp/errors.ts'
import { accountNamed, checkAuthzid, credentialsOf } from './exchange.ts'
import type { Exchange, LoginContext, Step } from './exchange.ts'

/** An exchange of PLAIN, which has one message. */
export function plain (context: LoginContext): Exchange {
  return { respond: message => logIn(context, message) }
}

async function logIn (context: LoginContext, message: Buffer): Promise<Step> {
  // RFC 4616 §2: message = [authzid] NUL authcid NUL passwd
  const [authzid, name, password, ...rest] = isUtf8(message) ? message.toString().split('\0') : []
  if (!name || !password || rest.length > 0) throw new SaslError('malformed-request')
  const account = accountNamed(context, name)
  checkAuthzid(authzid, account)
  const credentials = await credentialsOf(context, account)
  const isRight = await context.guess(account, () => verifyPassword(credentials, password))
  if (!isRight) throw new SaslError('not-authorized')
  return { success: { jid: account, anonymous: false, madeAt: credentials.madeAt } }
}
