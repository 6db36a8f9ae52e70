/** Bursts of the server's own making: what one client is to be sent because of one thing that it did. */
import { isSliceOver, nextSlice } from '../util/slices.ts'
import type { Session } from './session.ts'

/** So many steps may be under way that are not dealt with at once. */
const MAX_UNDER_WAY = 64

/**
 * Takes one step after the other, each of which sends the session something, in slices, and waits while its client has
 * enough to read. A step may be a promise until what it sends has arrived. Nothing returned where all is done by now.
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
  }
  return goOn()
}
