/** Streams, as one extension adds to them. */
import type { StreamFacet } from '../../extension/facets/stream.ts'
import type { Session } from '../../session/session.ts'
import type { Registration } from './registration.ts'

export function streamFacet ({ parts: { streams }, undo }: Registration): StreamFacet {
  return {
    feature (when, element) { undo.push(streams.addFeature(when, element)) },
    loginFeature (element) { undo.push(streams.addLoginFeature(element)) },
    nonza (name, ns, handler) { undo.push(streams.addNonza(name, ns, handler)) },
    bindSwitch (ns, switchOn) { undo.push(streams.addSwitch(ns, switchOn)) },
    countInbound (session: Session, id, taken) { session.smInbound = { id, taken } },
    resumption (name, ns, resume) { undo.push(streams.addResume(name, ns, resume)) },
  }
}
