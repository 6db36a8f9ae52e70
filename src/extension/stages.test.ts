import { expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { StageTable } from './stages.ts'

test('a handler that is removed twice takes no other along', async () => {
  const stages = new StageTable(await openLog({ level: 'silent' }))
  const remove = stages.add('first', 'send', 'seen', () => {})
  stages.add('second', 'send', 'seen', () => {})

  remove()
  remove()

  expect(stages.toString()).toContain('send.seen: second\n')
})
