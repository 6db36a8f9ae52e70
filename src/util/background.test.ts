/** What runs while nobody waits for it. */
import { expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { inBackground } from './background.ts'

test('a task in the background that fails is logged by its name, and costs nothing else', async () => {
  const lines: string[] = []
  const log = await openLog({ level: 'info' }, { write (line) { lines.push(line) } })

  inBackground(log, 'counting sheep', Promise.reject(new Error('one is missing')))
  inBackground(log, 'nothing to wait for', undefined)
  await new Promise(resolve => { setImmediate(resolve) })

  expect(lines.map(line => JSON.parse(line))).toEqual([
    expect.objectContaining({
      level: 'error',
      task: 'counting sheep',
      err: expect.objectContaining({ message: 'one is missing' }),
    }),
  ])
})
