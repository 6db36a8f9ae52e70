/**
 * Time slices for long work: all of it together takes at most SLICE_MS of a turn of the event loop, whatever callbacks
 * of the turn it is begun in, and the rest waits in line for the next turns, so that sockets are served in between.
 */

export const SLICE_MS = 5

/** When long work began in this turn, in milliseconds of the monotonic clock; 0 where none has. */
let since = 0
let isDue = false
const line: (() => void)[] = []

/** Whether the slice of this turn is used up, so that the rest of the work belongs into `inNextSlice`. */
export function isSliceOver (): boolean {
  const now = performance.now()
  if (since === 0) {
    since = now
    goOnSoon()
  }
  return now - since > SLICE_MS
}

/** Runs the task, which must not throw, in one of the next turns, behind those that wait already. */
export function inNextSlice (task: () => void): void {
  line.push(task)
  goOnSoon()
}

/** The same for a task that may throw or be asynchronous. */
export function nextSlice (task: () => void | Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    inNextSlice(() => {
      try { resolve(task()) } catch (error) { reject(error) }
    })
  })
}

/**
 * Runs one step after the other, in as many turns as needed. Returns undefined where all are done at once. Throws, or
 * rejects with, the error of a step, and stops there.
 */
export function inSlices (steps: Iterator<unknown>): void | Promise<void> {
  while (!isSliceOver()) if (steps.next().done) return
  return nextSlice(() => inSlices(steps))
}

/** Whether no task waits for the next slice. */
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
