/** Several nodes of the server of this repository, as one server: on one Redis, and on the first node's PostgreSQL. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startHeliograph } from './heliograph.ts'
import { freePort } from './free-port.ts'
import { endProgram, makeFolder, requireProgram, startProgram, type NameServer, type Server } from './server.ts'

const REDIS = '/usr/bin/redis-server'

/** As one Heliograph, at so many ports. */
export async function startNodes (
  count: number, extensions: readonly string[], folder = makeFolder('nodes'), dns?: NameServer,
): Promise<Server> {
  requireProgram(REDIS, 'redis-server')
  const redisPort = await freePort()
  const parameters = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
  await using starting = new AsyncDisposableStack() // what is started last ends first: the database is the first node's
  starting.adopt(await startProgram(REDIS, parameters, redisPort, { cwd: folder }), endProgram)
  const start = (index: number): Promise<Server> => startNode(folder, index, extensions, redisPort, dns)
  const first = starting.adopt(await start(0), node => node.end())
  const others = starting.adopt(
    await Promise.all(Array.from({ length: count - 1 }, (_, i) => start(i + 1))),
    async nodes => { await Promise.all(nodes.map(node => node.end())) })
  const running = starting.move()
  const nodes = [first, ...others]
  return {
    ports: nodes.flatMap(({ ports }) => ports), serverPorts: nodes.flatMap(({ serverPorts }) => serverPorts), folder,
    end: () => running.disposeAsync(),
  }
}

function startNode (
  all: string, index: number, extensions: readonly string[], redisPort: number, dns: NameServer | undefined,
): Promise<Server> {
  const folder = join(all, `n${index}`)
  mkdirSync(folder, { recursive: true })
  const socket = encodeURIComponent(join(all, 'n0', 'data', 'postgres'))
  return startHeliograph(extensions, folder, dns, {
    node: `n${index}`,
    sessions: `redis://127.0.0.1:${redisPort}`,
    database: index === 0 ? 'embedded' : `postgres://heliograph@localhost/postgres?host=${socket}`,
  })
}
