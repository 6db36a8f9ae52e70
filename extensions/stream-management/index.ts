/**
 * XEP-0198: Stream Management. Acknowledges stanzas once they are handled for good, queues what clients have not
 * acknowledged, and lets clients resume a session whose stream broke, on any transport.
 */
import { z } from 'zod'
import { el, extension, inBackground, SESSION_FLAGS, StreamError } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, SessionView } from '../../src/extension/api.ts'
import { parseCount } from './ack-queue.ts'
import { rerouteUnacked } from './give-back.ts'
import { replicateSessions } from './replicate.ts'
import { Kept } from './kept.ts'
import { agree, ManagedSession, NS } from './managed-session.ts'
import type { Options, Surroundings } from './managed-session.ts'
import { failed, Resumptions } from './resumptions.ts'

/** How often expired sessions are looked for. */
const SWEEP_MS = 1000

export const streamManagement = extension<Options>({
  name: 'stream-management',
  xeps: ['0198@1.6.3'],
  config: z.strictObject({
    /** How long a session waits for resumption after its stream broke; 0: not at all. */
    'resume-seconds': z.number().int().min(0).max(604_800).default(600),
    /** A client with more unacknowledged stanzas loses its session. */
    'queue': z.number().int().min(100).default(5000),
    /** The most unacknowledged bytes of all clients together; 0: no limit. */
    'total-bytes': z.number().int().min(0).default(536_870_912),
  }).prefault({}),
  setup (host, options) {
    const sessions = new Map<SessionView, ManagedSession>()
    const resumptions = new Resumptions((managed, h) => { acknowledge(host, managed, h) })

    const manage = (managed: ManagedSession): void => {
      sessions.set(managed.session, managed)
      resumptions.add(managed)
    }
    const note = replicateSessions(host, sessions, (session, terms, counts) => {
      manage(new ManagedSession(surroundings, session, terms, counts))
    })
    const surroundings: Surroundings = { host, limit: options.queue, kept: new Kept(options['total-bytes']), note }
    const enable = (element: Element, session: SessionView): Element => {
      const managed = new ManagedSession(surroundings, session, agree(element, session, options))
      manage(managed)
      session.setFlag(SESSION_FLAGS.acks, true)
      return managed.enabled()
    }
    enableInNonza(host, sessions, enable)
    host.stream.bindSwitch(NS, (element, session) => // §9.1
      element.getName() === 'enable' && !sessions.has(session) ? enable(element, session) : failed('bad-request'))
    host.stream.feature('after-auth', (_peer, session) => // §2; what is on is not offered
      session && sessions.has(session) ? undefined : el('sm', NS))
    host.stream.loginFeature(el('sm', NS)) // §9.2
    host.stream.resumption('resume', NS, (element, account) => options['resume-seconds'] === 0
      ? { reply: failed('feature-not-implemented') } // §5
      : resumptions.resume(element, account))
    exchangeCounts(host, sessions)
    endInTime(host, sessions, resumptions)
  },
})

type Sessions = Map<SessionView, ManagedSession>

// §3: once, and on a bound session. Clients enable twice, which the section's example allows, though its text does not.
function enableInNonza (
  host: ExtensionHost, sessions: Sessions, enable: (element: Element, session: SessionView) => Element,
): void {
  host.stream.nonza('enable', NS, async (element, session) => {
    if (sessions.has(session)) return session.send(failed('unexpected-request'))
    await session.inFlight.settled() // what came before does not count
    if (session.account.sessions.includes(session)) session.send(enable(element, session))
  })
  host.stream.resumption('enable', NS, () => ({ reply: failed('unexpected-request') }))
  host.stream.nonza('resume', NS, (_element, session) => { session.send(failed('unexpected-request')) })
}

// §4.
function exchangeCounts (host: ExtensionHost, sessions: Sessions): void {
  host.stream.nonza('r', NS, (_element, session) => {
    const managed = sessions.get(session)
    if (managed) managed.answer()
    else session.send(failed('unexpected-request'))
  })
  host.stream.nonza('a', NS, ({ attrs }, session) => {
    const managed = sessions.get(session)
    if (!managed) return session.send(failed('unexpected-request'))
    const h = parseCount(attrs.h)
    if (h === undefined) throw new StreamError('bad-format', 'an acknowledgement needs a number of stanzas')
    acknowledge(host, managed, h)
  })
  host.on('read', 'handled', session => { sessions.get(session)?.countHandled() })
  host.on('write', 'track', (stanza, session) => { sessions.get(session)?.track(stanza) })
}

function acknowledge (host: ExtensionHost, managed: ManagedSession, h: number): void {
  for (const { stanza } of managed.acknowledge(h)) host.messages.delivered(stanza, managed.session)
}

// §5 and §7: a session outlives its stream for a while, unless the stream was closed.
function endInTime (host: ExtensionHost, sessions: Sessions, resumptions: Resumptions): void {
  let rerouted: Promise<unknown> | undefined
  host.when('session.ending', session => {
    const managed = sessions.get(session)
    if (managed?.id === undefined) return
    resumptions.keep(managed)
    return 'keep'
  })
  host.when('session.ended', session => {
    const managed = sessions.get(session)
    if (!managed) return
    managed.isEnded = true
    managed.leave()
    const rerouting = rerouteUnacked(host, session.account, managed.queue.waiting)
    if (rerouting) rerouted = Promise.allSettled([rerouted, rerouting])
    inBackground(host.log, 'rerouting of unacknowledged stanzas', rerouting)
    inBackground(host.log, 'removal of an ended session', Promise.resolve(session.inFlight.settled()).then(() => {
      sessions.delete(session) // stanzas that were still in flight have counted
      resumptions.remove(managed)
    }))
  })
  host.when('account.movedAway', (_account, left) => {
    for (const session of left) {
      const managed = sessions.get(session)
      sessions.delete(session)
      if (!managed) continue
      managed.leave()
      resumptions.forget(managed)
    }
  })
  host.every(SWEEP_MS, () => { for (const session of resumptions.late()) host.accounts.endSession(session) })
  host.atShutdown(async () => {
    for (const session of resumptions.waiting) host.accounts.endSession(session)
    await rerouted
  })
}
