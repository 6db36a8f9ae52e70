/**
 * Ports for servers, which are started after the port was chosen, and started anew: none that the system would give to
 * a connection meanwhile, and none that another process of the kind was given.
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, unlink, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Below those of outgoing connections: from 32 768 on by Linux, from 49 152 on by others. */
const FIRST = 10_000
const COUNT = 22_000
/** A file for each port, with the id of the process that it was given to. */
const FOLDER = join(tmpdir(), 'heliograph-ports')

/** A port of 127.0.0.1 at which nobody listens; it is this process's as long as that runs. */
export async function freePort (): Promise<number> {
  for (;;) {
    const port = FIRST + randomInt(COUNT)
    if (reserve(join(FOLDER, String(port))) && await canListen(port)) return port
  }
}

/** False where another process has the port. */
function reserve (file: string): boolean {
  try {
    if (mkdirSync(FOLDER, { recursive: true })) chmodSync(FOLDER, 0o1777) // for other users, too
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    removeLeftOver(file)
    return false
  }
}

/** Removes the file of a process that has ended. */
function removeLeftOver (file: string): void {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') unlink(file, () => {}) // or it is another user's
  }
}

async function canListen (port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch {
    return false // EADDRINUSE
  }
}
