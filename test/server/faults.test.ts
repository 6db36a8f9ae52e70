/** A mistake of the server's own, that nobody expected, costs what it was about. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Peer } from '../hostile/peer.ts'
import { Installation, OPEN } from './installation.ts'

/** Loaded into the server: at SIGUSR2 something fails of which nobody hears. */
const FAULT = "process.on('SIGUSR2', () => { Promise.reject(new Error('nobody waits for this')) })"

let home: Installation

beforeAll(async () => { home = await Installation.make(OPEN) })
afterEach(() => home.end())
afterAll(() => home.remove())

test('a promise that rejects, and that nobody waits for, is logged with its stack, and no client notices', async () => {
  const server = await home.start({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(FAULT)}` })
  const romeo = await Peer.logIn(home.direct, 'romeo/orchard')
  const juliet = await Peer.logIn(home.direct, 'juliet/balcony')

  server.kill('SIGUSR2')
  const line = await server.logged('process.unhandled_rejection')

  expect(line).toMatchObject({
    level: 'error',
    err: { message: 'nobody waits for this', stack: expect.stringContaining('at ') },
  })
  void romeo.send("<message to='juliet@localhost/balcony' type='chat'><body>still here</body></message>")
  expect((await juliet.expect('message')).children[0]?.text).toBe('still here')
  server.kill('SIGTERM')
  expect(await server.ended()).toBe(0)
}, 60_000)
