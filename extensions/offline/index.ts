/**
 * XEP-0160: Best Practices for Handling Offline Messages. The offline queue is a position in the archive, not a second
 * copy: undelivered messages go to the next available session that does not query the archive itself, oldest first,
 * with their original time (XEP-0203: Delayed Delivery).
 */
import { z } from 'zod'
import { extension, SESSION_FLAGS } from '../../src/extension/api.ts'
import { Deliveries } from './deliveries.ts'
import { replicateDeliveries } from './replicate.ts'
import { isCopy, isOwn } from './own.ts'

const SAVE_MS = 200

export const offline = extension({
  name: 'offline',
  xeps: ['0160@1.0.1', '0203@2.0'],
  // COMPAT(config files of 0.1.0): a limit on offline messages is accepted and ignored; a position in the archive needs
  // none.
  config: z.strictObject({ limit: z.int().min(0).optional() }).prefault({}),
  setup (host) {
    const { archive } = host.messages
    if (!archive) return // nothing is kept
    const deliveries = new Deliveries(host, archive)

    host.disco.feature('msgoffline')
    host.on('send', 'seen', ({ kind, to, children }, session) => {
      const isToOwn = !to || to.equals(session.account.jid)
      if (kind === 'iq' && isToOwn && children[0]?.ns === SESSION_FLAGS.archive) deliveries.asked(session)
    })
    host.on('receive', 'fanout', (message, account) => {
      if (message.archiveNumber !== undefined && !isOwn(message, account))
        deliveries.add(account, Number(message.archiveNumber))
    })
    host.on('write', 'hold', (stanza, session) => deliveries.isKept(stanza, session))
    host.on('write', 'track', (stanza, session) => {
      if (stanza.archiveNumber === undefined) return
      if (isCopy(stanza, session.account)) deliveries.copied(Number(stanza.archiveNumber), session)
      else deliveries.given(stanza, Number(stanza.archiveNumber), session)
    })
    host.when('stanza.delivered', (stanza, session) => {
      if (stanza.archiveNumber === undefined || isCopy(stanza, session.account)) return
      deliveries.confirmed(Number(stanza.archiveNumber), session)
    })

    host.when('session.reachable', session => {
      if (session.flags.has(SESSION_FLAGS.archive)) deliveries.skip(session)
      deliveries.replay(session)
    })
    host.when('session.ended', session => { deliveries.ended(session) })
    host.when('message.unacked', ({ archiveNumber }) => archiveNumber === undefined ? undefined : 'taken')
    host.when('account.removed', async account => { deliveries.forget(account) })
    host.when('account.beforeMove', () => deliveries.save())
    host.when('account.movedAway', (_account, sessions) => { deliveries.left(sessions) })
    replicateDeliveries(host, deliveries)
    host.every(SAVE_MS, () => deliveries.save())
    host.atShutdown(() => deliveries.save())
  },
})
