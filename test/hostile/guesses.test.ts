/**
 * Guesses at passwords over many connections at once (RFC 6120 §13.9.4), with the limits that an administrator gets.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { auth, PASSWORD, Peer } from './peer.ts'
import { startTarget } from './server.ts'
import type { Target } from './server.ts'

const NEIGHBOURS = '127.0.0.9'
const AT_ONCE = 10

let target: Target
const peers: Peer[] = []

beforeEach(async () => {
  target = await startTarget()
  for (const name of ['alice', 'bob'])
    (await Peer.logIn({ port: target.port, from: '127.0.0.10' }, `${name}/first`)).destroy()
}, 60_000)

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.destroy()
  await target.stop()
})

function open (): Promise<Peer> {
  return Peer.open({ port: target.tlsPort, isTls: true, from: NEIGHBOURS })
}

/** Each on a connection of its own; gives the failures as they come. */
async function guessTogether (size: number, name: string): Promise<string[]> {
  const failures: string[] = []
  const crowd = await Promise.all(Array.from({ length: size }, open))
  peers.push(...crowd)
  for (const peer of crowd) {
    void peer.send(auth('PLAIN', `\0${name}\0wrong`))
    peer.expect('failure').then(({ children }) => failures.push(children[0]?.name ?? ''), () => {}) // we left
  }
  return failures
}

/** Logs in by PLAIN; resolves with the failure, where it is one. */
async function tryToLogIn (peer: Peer, name: string): Promise<string | undefined> {
  void peer.send(auth('PLAIN', `\0${name}\0${PASSWORD}`))
  const answer = await peer.next()
  return answer.name === 'success' ? undefined : answer.children[0]?.name
}

test(
  'ninety guesses at once from one address are looked at no more often than the limit, and keep out no other account',
  async () => {
    const failures = await guessTogether(90, 'bob')
    while (failures.length < AT_ONCE) await delay(50)
    const alice = await open()
    peers.push(alice)

    expect(await tryToLogIn(alice, 'alice')).toBeUndefined()

    while (failures.length < 90) await delay(50)
    expect(failures.filter(condition => condition === 'not-authorized').length).toBeLessThanOrEqual(AT_ONCE + 2)
    expect(new Set(failures)).toEqual(new Set(['not-authorized', 'temporary-auth-failure']))
  }, 60_000)

test(
  'guesses over 110 connections at who has logged in from there make the owner wait, and do not keep him out',
  async () => {
    const before = await open()
    peers.push(before)
    expect(await tryToLogIn(before, 'alice')).toBeUndefined()
    await guessTogether(110, 'alice')
    const owner = await open()
    peers.push(owner)

    expect(await tryToLogIn(owner, 'alice')).toBeUndefined()
  }, 60_000)
