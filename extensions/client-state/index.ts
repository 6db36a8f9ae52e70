/**
 * XEP-0352: Client State Indication. A client that says that it is inactive is not woken by presence and chat states:
 * of each sender it gets the newest, before the first stanza that can't wait, or when it is active again.
 */
import { z } from 'zod'
import { el, extension } from '../../src/extension/api.ts'
import { InactiveClients } from './inactive-clients.ts'

const NS = 'urn:xmpp:csi:0'

export const clientState = extension({
  name: 'client-state',
  xeps: ['0352@1.0.0'],
  config: z.strictObject({
    /** The most that is held for one client; beyond, it is sent all of it. */
    bytes: z.int().min(0).max(16_777_216).default(262_144),
  }).prefault({}),
  setup (host, { bytes }) {
    const inactive = new InactiveClients(host, bytes)

    host.stream.feature('after-auth', () => el('csi', NS)) // §4.1
    host.stream.nonza('inactive', NS, (_element, session) => { inactive.add(session) })
    host.stream.nonza('active', NS, (_element, session) => { inactive.flush(session) })
    host.stream.bindSwitch(NS, (element, session) => { // XEP-0386: a client that comes back asleep
      if (element.getName() === 'inactive') inactive.add(session)
      return undefined
    })
    host.on('write', 'hold', (stanza, session) => inactive.hold(stanza, session))
    host.when('session.resuming', session => { inactive.flush(session) }) // §5.2
    host.when('session.ended', session => { inactive.forget(session) })
    host.when('account.movedAway', (_account, sessions) => {
      for (const session of sessions) inactive.forget(session)
    })
  },
})
