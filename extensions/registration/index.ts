/**
 * XEP-0077: In-Band Registration. Creates accounts where registration is open; users who are logged in can change their
 * password and remove their account.
 */
import { el, extension, Jid, JidError, networkOf, RateLimit, StanzaError } from '../../src/extension/api.ts'
import type { Element, ExtensionHost } from '../../src/extension/api.ts'

const NS = 'jabber:iq:register'
const NS_FEATURE = 'http://jabber.org/features/iq-register'
const HOUR = 3_600_000
/** The limit of new passwords of one account per hour: deriving their keys is expensive. */
const MAX_NEW_PASSWORDS = 20
const INSTRUCTIONS = el('instructions', NS, {}, 'Choose a user name and a password.')

/** The section `registration` of the config, which is older than extensions' keys. */
interface Options { readonly open: boolean, readonly perAddress: number }

export const registration = extension<Options>({
  name: 'registration',
  xeps: ['0077@2.4'],
  section: 'registration',
  setup (host, { open, perAddress }) {
    const newAccounts = new RateLimit(perAddress, HOUR)
    const newPasswords = new RateLimit(MAX_NEW_PASSWORDS, HOUR)

    host.disco.feature(NS)
    if (open) host.stream.feature('before-auth', () => el('register', NS_FEATURE))

    host.iq({ type: 'get', to: ['stream'], name: 'query', ns: NS }, () => {
      checkOpen(open)
      return el('query', NS, {}, INSTRUCTIONS, el('username', NS), el('password', NS))
    })
    host.iq({ type: 'set', to: ['stream'], name: 'query', ns: NS }, async ({ payload }, peer) => {
      if (payload.getChild('remove', NS)) {
        throw new StanzaError('unexpected-request', 'log in to remove your account') // §3.2
      }
      checkOpen(open)
      const { username, password } = readAccount(payload, peer.host, 'not-acceptable') // §3.1
      const taken = newAccounts.take(networkOf(peer.remoteAddress))
      if (!taken) {
        throw new StanzaError('resource-constraint',
          'too many accounts were registered from your network: try again later')
      }
      try {
        await host.accounts.commands.add(username, password)
      } catch (error) { // no account was created; a conflict counts, since it reveals that the name exists
        if (!(error instanceof StanzaError && error.condition === 'conflict')) taken.giveBack()
        throw error
      }
      const [account, address] = [username.toString(), peer.remoteAddress]
      host.log.info({ event: 'account.registered', account, address }, 'account: registered')
    })

    host.iq({ type: 'get', to: ['own-account', 'server'], name: 'query', ns: NS }, ({ from, to }) => {
      checkOwn(from, to)
      return el('query', NS, {},
        el('registered', NS), INSTRUCTIONS, el('username', NS, {}, from.local), el('password', NS))
    })
    host.iq({ type: 'set', to: ['own-account', 'server'], name: 'query', ns: NS }, ({ payload, from, to }) => {
      checkOwn(from, to)
      return change(host, payload, from.bare, newPasswords)
    })
  },
})

// §3.1: a host without registration answers as if it did not support it.
function checkOpen (open: boolean): void {
  if (!open) throw new StanzaError('service-unavailable', 'this server does not accept new registrations')
}

function checkOwn (from: Jid, to: Jid): void {
  if (from.domain !== to.domain) throw new StanzaError('not-allowed', 'your account is not at this host')
}

/** §3.2 and §3.3: removes the account, or changes its password. */
async function change (host: ExtensionHost, query: Element, account: Jid, newPasswords: RateLimit): Promise<void> {
  if (query.getChild('remove', NS)) {
    if (query.getChildElements().length > 1) {
      throw new StanzaError('bad-request', 'a request to remove an account must contain nothing else')
    }
    await host.accounts.commands.remove(account)
    host.log.info({ event: 'account.removed', account: account.toString() }, 'account: removed by its owner')
    return
  }
  const { username, password } = readAccount(query, account.domain, 'bad-request') // §3.3
  if (!username.equals(account)) throw new StanzaError('not-allowed', 'you can change only your own password')
  if (!newPasswords.take(account.toString())) {
    throw new StanzaError('resource-constraint', 'you have changed your password too often: try again later')
  }
  await host.accounts.commands.setPassword(account, password)
}

/** The user name and the password, both of which are required and not empty. */
function readAccount (
  query: Element, host: string, refusal: 'bad-request' | 'not-acceptable',
): { username: Jid, password: string } {
  const name = query.getChildText('username', NS) ?? ''
  const password = query.getChildText('password', NS) ?? ''
  if (name === '' || password === '') throw new StanzaError(refusal, 'enter a user name and a password')
  try {
    return { username: Jid.of(name, host), password }
  } catch (error) {
    if (!(error instanceof JidError)) throw error
    throw new StanzaError(refusal, 'this user name is too long or contains characters that are not allowed')
  }
}
