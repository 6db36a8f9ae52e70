/** A full disk: nothing is acknowledged that is not stored, senders are told to wait, and it goes on by itself. */
import { describe, expect, test } from 'vitest'
import { fillUnderLoad } from './full-disk.ts'
import { NOTHING_WRONG, print } from './load.ts'
import { MortalServer } from './server.ts'
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts'

const ROUNDS = Number(process.env.FAULT_ROUNDS ?? 2)

const SENTENCE = 'the disk is full: make room for the data folder '

const missing = whyNoSmallDisk()
if (missing !== undefined) console.warn(`a full disk is not tested: ${missing}`)

describe.skipIf(missing !== undefined)('a disk that is full', () => {
  const timeout = 60_000 + ROUNDS * 60_000

  test('under load: what was acknowledged is kept, and it goes on when there is room', { timeout }, async () => {
    const { filled, recovered, databaseEnded, isRunning, ...figures } = await fillUnderLoad(ROUNDS)

    print('full disk', { filled, recovered, databaseEnded }, figures)
    expect(figures).toMatchObject(NOTHING_WRONG)
    expect(figures.acknowledged).toBeGreaterThan(0)
    expect(figures.acknowledged).toBe(figures.sent)
    expect(figures.refused).toBeGreaterThan(0)
    expect({ filled, recovered, isRunning }).toEqual({ filled: ROUNDS, recovered: ROUNDS, isRunning: true })
    expect(databaseEnded).toBeGreaterThan(0)
  })

  test('at the first start: a sentence says so', async () => {
    const disk = SmallDisk.mount(16)
    const server = await MortalServer.prepare({ data: disk.path })
    try {
      const { code, said } = server.failToStart()

      expect(said).toContain(SENTENCE + disk.path)
      expect(code).toBe(1)
    } finally {
      await server.end()
      disk.unmount()
    }
  })

  test('at a later start: a sentence says so, and it starts when there is room', { timeout: 60_000 }, async () => {
    const disk = SmallDisk.mount(256)
    const server = await MortalServer.start({ data: disk.path })
    try {
      await server.stop()
      disk.fill(0)

      const { code, said } = server.failToStart()
      disk.empty()
      await server.revive()

      expect(said).toContain(SENTENCE + disk.path)
      expect(code).toBe(1)
    } finally {
      await server.end()
      disk.unmount()
    }
  })
})
