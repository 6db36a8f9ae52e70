/** Where every extension stands in a stanza's way, as reviewed: `npm run stages` prints what `stages.txt` holds. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readConfig } from '../src/cli/read-config.ts'
import { describeStages } from '../src/app/server.ts'

test('extensions stand in their stages in the order that was reviewed', async () => {
  const stages = await describeStages(readConfig('config/server.yaml'))

  expect(stages).toBe(readFileSync(new URL('stages.txt', import.meta.url), 'utf8'))
})
