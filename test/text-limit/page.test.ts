/** The code of docs/extensions.md is that of this folder, which is compiled and run. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the guide to writing an extension shows code that runs', () => {
  const shown = [...readFileSync('docs/extensions.md', 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) =>
    code
  )

  const files = ['index.ts', 'text-limit.test.ts'].map(name => readFileSync(`test/text-limit/${name}`, 'utf8'))
  expect(shown).toEqual(files)
})
