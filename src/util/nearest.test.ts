import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

test.each([
  ['hots', 'hosts'],
  ['host', 'hosts'],
  ['HOSTS', 'hosts'],
  ['lsiten', 'listen'],
  ['noed', 'node'],
  ['stanza-byte', 'stanza-bytes'],
  ['stanza_bytes', 'stanza-bytes'],
  ['limitss', 'limits'],
])('%s is nearly %s', (word, meant) => {
  expect(nearest(word, ['node', 'hosts', 'listen', 'limits', 'stanza-bytes'])).toBe(meant)
})

test.each(['', 'x', 'xyz', 'certificate', 'noodles and soup'])('%j is near nothing', word => {
  expect(nearest(word, ['node', 'hosts', 'listen'])).toBeUndefined()
})
