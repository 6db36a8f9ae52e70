/**
 * XEP-0398: User Avatar to vCard-Based Avatars Conversion. A picture that a client publishes (XEP-0084: User Avatar) is
 * in the vCard, too, one that a client puts into the vCard is published, and presence has its hash
 * (XEP-0153: vCard-Based Avatars).
 */
import { extension, inBackground } from '../../src/extension/api.ts'
import type { Jid, SessionView } from '../../src/extension/api.ts'
import { NS_DATA, NS_METADATA, NS_UPDATE, NS_VCARD, saysNone, withHash } from './convert.ts'
import { readHash } from './store.ts'
import { AvatarSync } from './sync.ts'

/** Pictures are for everybody, as those in vCards are. */
const OPEN = { 'pubsub#access_model': ['open'] }

export const avatars = extension({
  name: 'avatars',
  xeps: ['0398@1.0.0', '0084@1.1.4', '0153@1.1.1'],
  setup (host) {
    /** Sessions whose client says that there is no picture. */
    const without = new WeakSet<SessionView>()
    const { conversion } = new AvatarSync(host, (jid, hash) => {
      inBackground(host.log, 'presence with an avatar', announce(jid, hash))
    })
    const hashes = host.accounts.data<string | undefined>(readHash)
    const announce = async (jid: Jid, hash: string): Promise<void> => {
      const account = await host.accounts.load(jid)
      if (!account) return
      const before = hashes.of(account) ?? ''
      hashes.set(account, hash)
      if (before === hash) return
      host.accounts.changePresence(account, (presence, session) =>
        without.has(session) ? presence : withHash(presence, hash))
    }
    const later = (account: Jid): void => { conversion.later(account) }

    host.disco.feature('urn:xmpp:pep-vcard-conversion:0', 'account')
    host.pubsub.node(NS_DATA, { defaults: OPEN })
    host.pubsub.node(NS_METADATA, { defaults: OPEN, published: later, retracted: later })
    host.when('document.saved', async (account, { name, ns }) => {
      if (name !== 'vCard' || ns !== NS_VCARD) return
      later(account)
      await conversion.settled(account)
    })
    host.on('send', 'rewrite', (stanza, sender) => {
      if (stanza.kind !== 'presence' || stanza.type !== 'available') return stanza
      if (saysNone(stanza)) {
        without.add(sender)
        return stanza
      }
      without.delete(sender)
      const hash = hashes.of(sender.account)
      return hash === undefined && !stanza.has('x', NS_UPDATE) ? stanza : withHash(stanza, hash ?? '')
    })
  },
})
