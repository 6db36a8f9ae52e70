import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDataFolder } from './data-lock.ts'

const MODULE = JSON.stringify(new URL('data-lock.ts', import.meta.url).href)
const LOCKER = `
  const { lockDataFolder } = await import(${MODULE})
  process.send(await lockDataFolder(process.argv[1]).then(() => 'locked', error => error.message))
  process.on('message', () => {})
`

let folder: string
let others: ChildProcess[]

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'heliograph-lock-')), 'data')
  others = []
})

afterEach(async () => {
  await Promise.all(others.map(kill))
  await rm(join(folder, '..'), { recursive: true })
})

/** Another process that tries for the lock; says 'locked' or why not. */
async function lockElsewhere (): Promise<{ other: ChildProcess, said: unknown }> {
  const other = fork('-e', [LOCKER, folder], { execArgv: ['--input-type=module'] })
  others.push(other)
  const [said] = await once(other, 'message')
  return { other, said }
}

async function kill (other: ChildProcess): Promise<void> {
  if (other.exitCode !== null || other.signalCode !== null) return
  other.kill('SIGKILL')
  await once(other, 'exit')
}

test('a data folder is made for its owner alone', async () => {
  const data = await lockDataFolder(folder)

  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  await data.release()
})

test('a folder that can not be made is named, with the reason', async () => {
  await writeFile(folder, '')
  const within = join(folder, 'within')

  await expect(lockDataFolder(folder)).rejects.toThrow(`the data folder ${folder} can't be made or written: EEXIST`)
  await expect(lockDataFolder(within)).rejects.toThrow(`the data folder ${within} can't be made or written: ENOTDIR`)
})

test('a second one is refused with a sentence that names the running process', async () => {
  const { other } = await lockElsewhere()

  await expect(lockDataFolder(folder)).rejects.toThrow(`process ${other.pid}`)
})

test('a folder is free again when it was released', async () => {
  await (await lockDataFolder(folder)).release()

  const { said } = await lockElsewhere()

  expect(said).toBe('locked')
})

test('a folder is free again when its process was killed, though its pid is in use by another', async () => {
  const { other } = await lockElsewhere()
  await kill(other)
  await writeFile(join(folder, 'heliograph.pid'), `${process.ppid}\n`)

  const data = await lockDataFolder(folder)

  expect(await readFile(join(folder, 'heliograph.pid'), 'utf8')).toBe(`${process.pid}\n`)
  await data.release()
})

test('of many that start at once in a folder that a killed one left, exactly one gets it', async () => {
  await kill((await lockElsewhere()).other)

  const results = await Promise.all(Array.from({ length: 6 }, lockElsewhere))

  expect(results.filter(({ said }) => said === 'locked')).toHaveLength(1)
  const winner = results.find(({ said }) => said === 'locked')?.other.pid
  for (const { said } of results) expect(said).toMatch(new RegExp(`^locked$|process ${winner}$`))
})
