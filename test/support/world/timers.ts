/** Timers of the server's that are due soon, for `world.idle()`. Later ones (retries, leases) are not waited for. */

const SOON_MS = 10

const soon = new Set<NodeJS.Timeout>()
const { setTimeout: set, clearTimeout: clear } = globalThis

function setWatched<A extends unknown[]> (callback: (...args: A) => void, ms = 0, ...args: A): NodeJS.Timeout {
  const timer = set(() => {
    soon.delete(timer)
    callback(...args)
  }, ms)
  if (ms <= SOON_MS) soon.add(timer)
  return timer
}

globalThis.setTimeout = Object.assign(setWatched, { __promisify__: set.__promisify__ })
globalThis.clearTimeout = timer => {
  if (typeof timer === 'object') soon.delete(timer)
  clear(timer)
}

/** Whether no timer is due within 10 ms of when it was set. */
export function hasNoTimer (): boolean {
  return soon.size === 0
}
