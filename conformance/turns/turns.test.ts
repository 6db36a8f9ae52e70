/**
 * The catalogue of worst cases, with a fiftieth of the sessions: nothing that one sends keeps the server from
 * answering.
 */
import { expect, test } from 'vitest'
import { catalogue } from './catalogue.ts'
import { measureAll } from './measure.ts'
import { table } from './table.ts'

test('whatever one account sends within the limits, everybody else is answered', async () => {
  const all = await measureAll(catalogue, { times: 1, scale: 0.02 })

  process.stdout.write(`${table(all)}\n`)
  expect(all.map(({ name, faults }) => [name, faults])).toEqual(catalogue.map(({ name }) => [name, []]))
  expect(all.filter(({ pings }) => pings === 0)).toEqual([])
}, 600_000)
