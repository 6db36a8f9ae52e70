import { once } from 'node:events'
import { createServer } from 'node:net'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { hasRedis, startRedis } from '../../test/support/redis/redis.ts'
import type { TestRedis } from '../../test/support/redis/redis.ts'
import { eventually } from '../../test/support/cluster/redis-bus-node.ts'
import { openRedis } from './redis.ts'
import type { RedisConnections } from './redis.ts'

describe.skipIf(!hasRedis())('Redis', () => {
  let server: TestRedis
  let lines: string[] = []
  const open: RedisConnections[] = []
  const log = pino({ level: 'info' }, { write (line) { lines.push(line) } })

  beforeAll(async () => { server = await startRedis() })
  afterEach(() => {
    for (const one of open.splice(0)) one.close()
    lines = []
  })
  afterAll(async () => { await server.stop() })

  async function connect (url: string, silenceMs?: number): Promise<RedisConnections> {
    const connections = await openRedis(url, log, silenceMs === undefined ? {} : { silenceMs })
    open.push(connections)
    return connections
  }

  test('is used under the number of the database that the address names', async () => {
    const [first, third] = [await connect(server.url), await connect(`${server.url}/3`)]

    await third.commands.set('key', 'value')

    expect(await third.journal.get('key')).toBe('value')
    expect(await first.commands.get('key')).toBeNull()
  })

  describe('can not be used, and a sentence says why', () => {
    test('when nobody listens', async () => {
      await expect(connect('redis://user:geheim@127.0.0.1:1'))
        .rejects.toThrow('sessions: Redis at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1')
    })

    test('when it does not answer', async () => {
      const mute = createServer().listen(0, '127.0.0.1')
      await once(mute, 'listening')
      const address = mute.address()
      const port = typeof address === 'object' ? address?.port : 0

      await expect(connect(`redis://127.0.0.1:${port}`, 100)).rejects.toThrow('Socket timeout')

      mute.close()
    })

    test('when the password is wrong, which is not told', async () => {
      await using guarded = await startRedis({ parameters: ['--requirepass', 'richtig'] })

      const refused = await connect(guarded.url.replace('//', '//:geheim@')).catch(String)

      expect(refused).toMatch(/^Error: sessions: Redis at 127.0.0.1:\d+: WRONGPASS/)
      expect(refused + lines.join()).not.toContain('geheim')
      await connect(guarded.url.replace('//', '//:richtig@'))
    })

    test.each([
      ['/99', 'out of range'],
      ['/sessions', '"sessions" is not the number of a Redis database'],
    ])('when it has no such database: %s', async (path, reason) => {
      await expect(connect(server.url + path)).rejects.toThrow(reason)
    })
  })

  test('is said to be gone, and to be back, once', async () => {
    const { commands, reader } = await connect(server.url)
    const read = reader.xread('BLOCK', 1_000, 'STREAMS', 'key', '0').catch(String)

    await server.kill()

    await expect(commands.get('key')).rejects.toThrow()
    expect(await read).toContain('Error')
    await eventually(() => { expect(lines.length).toBe(2) })
    await server.start()
    await eventually(async () => { expect(await commands.get('key')).toBeNull() })
    const at = expect.stringMatching(/^127.0.0.1:\d+$/)
    expect(lines.map(line => JSON.parse(line) as unknown)).toMatchObject([
      { event: 'redis.connection_lost', server: at, reason: expect.any(String) },
      { event: 'redis.unreachable', server: at, reason: expect.stringMatching(/^connect ECONNREFUSED/) },
      { event: 'redis.reconnected', server: at, seconds: expect.any(Number) },
    ])
  })

  test('that does not answer is taken for gone, and what was asked rejects', async () => {
    const { commands } = await connect(server.url, 100)
    server.pause()

    await expect(commands.get('key')).rejects.toThrow()

    server.resume()
    await eventually(async () => { expect(await commands.get('key')).toBeNull() })
  })

  test('that may throw sessions away is warned of', async () => {
    await using careless = await startRedis({
      parameters: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
    })

    await connect(careless.url)

    expect(lines.map(line => JSON.parse(line) as unknown)).toMatchObject([{
      event: 'redis.may_evict',
      policy: 'allkeys-lru',
    }])
  })
})
