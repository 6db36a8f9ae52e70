import { expect, test } from 'vitest'
import { childLog, openLog } from './log.ts'
import type { LogOptions } from './log.ts'

async function logOf (options: LogOptions) {
  const lines: string[] = []
  const log = await openLog(options, { write: line => { lines.push(line) } })
  return { log, lines }
}

test('an event is a line of JSON with its level, its time and where it comes from', async () => {
  const { log, lines } = await logOf({ level: 'info' })

  childLog(log, { extension: 'ping', session: 'romeo@localhost/orchard' }).warn({ count: 3 }, 'too many')
  log.debug('not at this level')

  expect(lines.map(line => JSON.parse(line) as unknown)).toEqual([{
    level: 'warn', time: expect.stringMatching(/^\d{4}-.*Z$/), extension: 'ping', session: 'romeo@localhost/orchard',
    count: 3, msg: 'too many',
  }])
})

test('neither a password nor a body gets into the log', async () => {
  const { log, lines } = await logOf({ level: 'info' })

  log.info({ password: 'geheim', body: 'geheim' }, 'at the top')
  log.info({ account: { password: 'geheim', credentials: 'geheim' }, stanza: { body: 'geheim' } }, 'inside')

  expect(lines.join()).not.toContain('geheim')
})

test('of an error the log says what, where and why, and not the row that the database quotes', async () => {
  const { log, lines } = await logOf({ level: 'info' })
  const cause = new RangeError('out of range')
  const fields = { code: '23514', detail: 'Failing row contains (geheim)' }
  const error = Object.assign(new Error('it failed', { cause }), fields)

  log.error({ err: error }, 'a query failed')

  expect(JSON.parse(lines.join())).toMatchObject({ err: {
    type: 'Error', message: 'it failed', code: '23514', stack: expect.stringContaining('log.test.ts'),
    cause: { type: 'RangeError', message: 'out of range' },
  } })
  expect(lines.join()).not.toContain('geheim')
})

test('text for people has the same events', async () => {
  const { log, lines } = await logOf({ level: 'info', pretty: true })

  log.info({ password: 'geheim' }, 'listening')

  expect(lines.join()).toMatch(/INFO.*listening/)
  expect(lines.join()).not.toContain('geheim')
})

const LONG = 'x'.repeat(200_000)

test.each([false, true])('nothing that a client chooses makes a line long (for people: %s)', async pretty => {
  const { log, lines } = await logOf({ level: 'info', pretty })

  log.error(
    { stanza: `<message id=${LONG}>`, list: [{ jid: LONG }], err: new Error(LONG, { cause: LONG }) },
    'it failed',
  )

  expect(lines.join()).toContain('200000 characters')
  expect(lines.join().length).toBeLessThan(40_000)
})

const CONTROLS = [
  '\u001b[2J',
  '\u0007',
  '\b',
  '\r',
  '\u007f',
  '\u0085',
  '\u009b2J',
  '\u2028',
  '\u202e',
  '\u2066',
  '\u200f',
]

test.each(CONTROLS)('nothing in a line controls the terminal: %j', async control => {
  for (const pretty of [false, true]) {
    const { log, lines } = await logOf({ level: 'info', pretty })

    log.error({ id: `a${control}b`, deep: { id: control }, err: new Error(`m${control}n`) }, `of a stanza ${control}`)

    expect(lines.join()).not.toContain(control)
    expect(lines.join()).toContain(control.slice(1)) // it is there for who looks for it
  }
})

test('a line of JSON has what was said, control characters and backslashes included', async () => {
  const { log, lines } = await logOf({ level: 'info' })
  const said = ['\u009b\u202e\\u009b\\\u009b', 'ends with \\']

  log.info({ said }, 'said')

  expect(JSON.parse(lines.join())).toMatchObject({ said })
})

test('text for people keeps the lines of a stack, and what looks like an escape', async () => {
  const { log, lines } = await logOf({ level: 'info', pretty: true })

  log.error({ err: new Error('broken \\u009b \\n') }, 'it failed')

  expect(lines.join()).toMatch(/broken \\u009b \\n\n +at /)
})
