/** Collects what a turn of the event loop writes, so that it leaves with one system call for each connection. */

export interface Flushable {
  flush (): void
}

let waiting: Flushable[] = []

/** Flushes `connection` once, after everything that has arrived in this turn of the event loop was dealt with. */
export function flushSoon (connection: Flushable): void {
  if (waiting.push(connection) === 1) setImmediate(flushAll)
}

function flushAll (): void {
  const connections = waiting
  waiting = []
  for (const connection of connections) connection.flush()
}
