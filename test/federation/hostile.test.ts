/** Servers that hold on to connections, say nothing or little, delay nobody but those who write to them. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { NOTHING_WRONG, print, whileTalking } from '../faults/load.ts'
import { Islands } from './islands.ts'
import { Person } from './person.ts'

const STREAMS = 1000
const TALK_MS = 4000
const TRICKLE_MS = 100
/** Not that of the other servers, as the limit of connections is one of addresses. */
const ELSEWHERE = '127.0.0.2'

test('a thousand half-open streams, and servers that never answer, delay nobody else', {
  timeout: 180_000,
}, async () => {
  await using islands = await Islands.start('a.example', 'b.example')
  const [ours] = islands.servers
  const silent = await listenInSilence()
  islands.neighbourhood.dns.names.set('_xmpp-server._tcp.silent.example', { srv: [{ port: silent, target: 'localhost' }] })
  const mercutio = await Person.arrive(ours?.place.ports.client ?? 0, 'mercutio@a.example')
  const talk = await islands.meet({ pauseMs: 30 })

  const figures = await whileTalking(talk, async () => {
    for (let number = 0; number < 100; number++) mercutio.say('nobody@silent.example', `unheard-${number}`)
    const open = holdOn(ours?.place.ports.server ?? 0)
    await setTimeout(TALK_MS)
    for (const socket of open) socket.destroy()
  })
  mercutio.leave()

  print('half-open streams and silence', { streams: STREAMS }, figures)
  expect(figures).toMatchObject({ ...NOTHING_WRONG, anew: 0 })
  expect(figures.acknowledged).toBeGreaterThan(0)
  expect(figures.acknowledged).toBe(figures.sent)
})

/** A port that accepts connections, and no more. */
async function listenInSilence (): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => { sockets.add(socket.on('error', () => {})) })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** Connections of which each sends the beginning of its stream byte by byte. */
function holdOn (port: number): readonly Socket[] {
  return Array.from({ length: STREAMS }, () => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: ELSEWHERE })
    const trickle = setInterval(() => { socket.write(' ') }, TRICKLE_MS)
    socket.on('error', () => {}).on('close', () => { clearInterval(trickle) }) // refused, or destroyed
    return socket
  })
}
