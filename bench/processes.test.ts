import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { cpuSeconds, memoryKilobytes } from './processes.ts'

let root: ChildProcess | undefined

afterEach(() => { root?.stdin?.end() })

/** A shell with Node as its child; resolves with the shell's process id when one of them has printed a line. */
async function shell (script: string): Promise<number> {
  const { pid, stdout } = root = spawn('sh', ['-c', `'${process.execPath}' -e '${script}'; echo ended; read line`])
  await once(stdout, 'data')
  return pid ?? 0
}

test('the work of a child counts after it has ended', async () => {
  const pid = await shell('while (process.cpuUsage().user < 3e5);')

  expect(cpuSeconds(pid)).toBeGreaterThanOrEqual(0.3)
})

test('the memory of a child counts', async () => {
  const pid = await shell('held = Buffer.alloc(2e8, 1); console.log("held"); process.stdin.resume()')

  expect(memoryKilobytes(pid)).toBeGreaterThan(2e8 / 1024)
})
