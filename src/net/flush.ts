/** Collects what a turn of the event loop writes, so that it leaves with one system call for each connection. */

export interface Flushable {
  flush (): void
}

let first: Flushable[] = []
let waiting: Flushable[] = []

/** Flushes `connection` once, after everything that has arrived in this turn of the event loop was dealt with. */
export function flushSoon (connection: Flushable): void {
  if (waiting.push(connection) === 1 && first.length === 0) setImmediate(flushAll)
}

/** The same, ahead of all that `flushSoon` flushes: for what must not be known less than what clients were sent. */
export function flushFirst (connection: Flushable): void {
  if (first.push(connection) === 1 && waiting.length === 0) setImmediate(flushAll)
}

function flushAll (): void {
  const connections = first.length === 0 ? waiting : [...first, ...waiting]
  first = []
  waiting = []
  for (const connection of connections) connection.flush()
}
