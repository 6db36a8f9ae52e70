/** Paces bursts of the server: the stanzas that one client is sent because of one request. */
import { isSliceOver, nextSlice } from '../util/slices.ts'
import type { Session } from './session.ts'

/** The most steps in flight. */
const MAX_UNDER_WAY = 64

/**
 * Runs the steps, each of which sends the session something, in slices, and pauses while the client has a backlog. A
 * step may return a promise until its stanzas have arrived. Returns undefined where all are done and have arrived.
 */
export function pace (session: Session, steps: Iterator<void | Promise<void>>): void | Promise<void> {
  const underWay: Promise<void>[] = []
  const goOn = (): void | Promise<void> => {
    for (let step = steps.next(); !step.done; step = steps.next()) {
      if (step.value) underWay.push(step.value)
      if (underWay.length >= MAX_UNDER_WAY) return Promise.all(underWay.splice(0)).then(goOn)
      const drained = session.drained()
      if (drained) return drained.then(goOn)
      if (isSliceOver()) return nextSlice(goOn)
    }
    if (underWay.length > 0) return Promise.all(underWay).then(() => {})
  }
  return goOn()
}
