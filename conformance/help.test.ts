/** What the scripts of package.json say of themselves. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test.each(['conformance', 'bench'])(
  'npm run %s -- --help says which options there are, and does nothing else',
  script => {
    const help = execFileSync(process.execPath, [join(import.meta.dirname, '..', script, 'run.ts'), '--help'], {
      encoding: 'utf8',
    })

    expect(help).toMatch(new RegExp(`^npm run ${script} -- .*\\n( .*\\n)+$`))
  })
