/** RFC 6121 §3.1.3: subscription requests that wait for the user's answer. Anyone can send one, so they are limited. */
import type { RosterItem } from './roster.ts'

/** Limits of the waiting requests of one account. */
const MAX_REQUESTS = 1000
const MAX_REQUEST_BYTES = 1024 * 1024

/**
 * The items whose requests exceed the limits: beyond the count the oldest, beyond the bytes the largest, so that no
 * sender keeps others from asking.
 */
export function tooManyRequests (items: Iterable<RosterItem>): readonly RosterItem[] {
  const waiting: RosterItem[] = []
  let bytes = 0
  for (const item of items) {
    if (item.request === undefined) continue
    waiting.push(item)
    bytes += item.request.length
  }
  if (waiting.length <= MAX_REQUESTS && bytes <= MAX_REQUEST_BYTES) return []
  const dropped = new Set(waiting.slice(0, Math.max(0, waiting.length - MAX_REQUESTS)))
  for (const { request } of dropped) bytes -= sizeOf(request)
  for (const item of waiting.sort((one, other) => sizeOf(other.request) - sizeOf(one.request))) {
    if (bytes <= MAX_REQUEST_BYTES) break
    if (dropped.has(item)) continue
    dropped.add(item)
    bytes -= sizeOf(item.request)
  }
  return [...dropped]
}

function sizeOf (request: string | undefined): number {
  return request?.length ?? 0
}
