/** Several nodes of the server of this repository, as one server: on one Redis, and on the first node's PostgreSQL. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startHeliograph } from './heliograph.ts'
import { endProgram, freePort, makeFolder, requireProgram, startProgram, type Server } from './server.ts'

const REDIS = '/usr/bin/redis-server'

/** As one Heliograph, at so many ports. */
export async function startNodes (
  count: number, extensions: readonly string[], folder = makeFolder('nodes'),
): Promise<Server> {
  requireProgram(REDIS, 'redis-server')
  const redisPort = await freePort()
  const parameters = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
  const redis = await startProgram(REDIS, parameters, redisPort, { cwd: folder })
  const nodes: Server[] = []
  try {
    for (let i = 0; i < count; i++) nodes.push(await startNode(folder, i, extensions, redisPort))
  } catch (error) {
    await endAll()
    throw error
  }
  async function endAll (): Promise<void> {
    const [first, ...others] = nodes
    await Promise.all(others.map(node => node.end()))
    await first?.end() // the others' database is its own
    await endProgram(redis)
  }
  return { ports: nodes.flatMap(({ ports }) => ports), folder, end: endAll }
}

function startNode (all: string, index: number, extensions: readonly string[], redisPort: number): Promise<Server> {
  const folder = join(all, `n${index}`)
  mkdirSync(folder, { recursive: true })
  const socket = encodeURIComponent(join(all, 'n0', 'data', 'postgres'))
  return startHeliograph(extensions, folder, {
    node: `n${index}`,
    sessions: `redis://127.0.0.1:${redisPort}`,
    database: index === 0 ? 'embedded' : `postgres://heliograph@localhost/postgres?host=${socket}`,
  })
}
