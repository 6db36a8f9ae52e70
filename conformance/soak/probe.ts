/** In the server's process, by `--import`, with `--expose-gc`: what it holds once the collector has been everywhere. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { writeHeapSnapshot } from 'node:v8'
import { isMainThread } from 'node:worker_threads'

export interface Held {
  /** In use after the collector, buffers included. */
  readonly heapBytes: number
  /** Resident memory without pages of files, such as Node.js itself, which the kernel drops and reads again. */
  readonly residentBytes: number
  /** Of these, what V8 keeps for its heap, in use or not. */
  readonly committedBytes: number
  readonly openFiles: number
  /** What keeps the event loop going, by type: sockets, servers, timers. */
  readonly resources: Readonly<Record<string, number>>
}

/** A weighing; with a file's name a heap snapshot, too. */
export interface Order { readonly snapshot?: string | undefined }

const COLLECTIONS = 10

async function weigh ({ snapshot }: Order): Promise<Held> {
  let heapBytes = Infinity
  for (let collection = 0; collection < COLLECTIONS; collection++) {
    globalThis.gc?.()
    await setTimeout(200) // for what is only let go of in a later turn
    const { heapUsed, external } = process.memoryUsage()
    heapBytes = Math.min(heapBytes, heapUsed + external)
  }
  // Gives back the pages that V8 keeps for later, as many as the heap has ever had, and counts nowhere.
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  const resources: Record<string, number> = {}
  for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1
  if (snapshot !== undefined) writeHeapSnapshot(snapshot)
  const { heapTotal: committedBytes } = process.memoryUsage()
  return { heapBytes, residentBytes: residentMemory(), committedBytes, openFiles: countFiles(), resources }
}

function residentMemory (): number {
  try {
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
  } catch { // not on Linux
    return process.memoryUsage.rss()
  }
}

function countFiles (): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch { // not on Linux
    return 0
  }
}

if (isMainThread && process.channel) {
  process.on('message', (order: Order) => {
    void weigh(order).then(held => process.send?.(held))
  })
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM')) // whoever measures is gone
  process.channel.unref()
}
