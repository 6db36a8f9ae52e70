/**
 * Slices: long work takes so much of a turn of the event loop, all of it together, and waits in line for the next turn,
 * so that the sockets are looked at in between. A turn is one callback with all promises that follow from it.
 */

/** What long work may take of a turn, in milliseconds. */
export const SLICE_MS = 5

/** When long work began in this turn; 0 where it has not. */
let since = 0
let isDue = false
const line: (() => void)[] = []

/** A callback from outside has begun: it has a slice of its own, whatever the turns before it have done. */
export function newTurn (): void {
  since = 0
}

/** Whether the long work of this turn has had its slice: the rest is for `inNextSlice`. */
export function isSliceOver (): boolean {
  const now = performance.now()
  if (since === 0) {
    since = now
    goOnSoon()
  }
  return now - since > SLICE_MS
}

/** Calls the task, which must not throw, in one of the next turns, when those are done that wait already. */
export function inNextSlice (task: () => void): void {
  line.push(task)
  goOnSoon()
}

/** The same for a task that may throw, or has to be waited for. */
export function nextSlice (task: () => void | Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    inNextSlice(() => {
      try { resolve(task()) } catch (error) { reject(error) } // the task's: whoever asked for it hears of it
    })
  })
}

/**
 * Takes one step after the other, in as many turns as that needs. Nothing returned where all is done by now. Throws, or
 * rejects, with what a step throws, and takes no more then.
 */
export function inSlices (steps: Iterator<unknown>): void | Promise<void> {
  while (!isSliceOver()) if (steps.next().done) return
  return nextSlice(() => inSlices(steps))
}

/** Whether nothing waits for the next slice. */
export function isLineEmpty (): boolean {
  return line.length === 0
}

function goOnSoon (): void {
  if (isDue) return
  isDue = true
  setImmediate(goOn)
}

function goOn (): void {
  isDue = false
  since = 0
  for (let waiting = line.length; waiting > 0 && !isSliceOver(); waiting--) line.shift()?.()
  if (line.length > 0) goOnSoon()
}
