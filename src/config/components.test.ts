/** The keys of components (XEP-0114, XEP-0355, XEP-0356). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ConfigError, loadConfig } from './config.ts'
import type { Config } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'heliograph-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function load (yaml: string, environment: Readonly<Record<string, string>> = {}): Config {
  const file = join(folder, 'server.yaml')
  writeFileSync(file, yaml)
  return loadConfig(file, environment, [])
}

function complaint (yaml: string): string {
  try {
    load(yaml)
    return ''
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(`${folder}/`, '')
    throw error
  }
}

test.each([
  ['components:\n  a.org: {}', '2: components.a.org.secret: is missing, expected a text of 1 to 1000 bytes'],
  ['components:\n  a.org:\n    secret: 5',
    '3: components.a.org.secret: found another value, expected a text of 1 to 1000 bytes'],
  ['components:\n  a.org:\n    secret: x\n    privileges: { rooster: get }',
    '4: components.a.org.privileges.rooster: there is no such key, did you mean "roster"? '
    + '(allowed here: roster, roster-push, message, presence, iq)'],
  ['components:\n  a.org:\n    secret: x\n    privileges:\n      roster: all',
    '5: components.a.org.privileges.roster: found "all", expected one of none, get, set, both'],
  ['components:\n  a.org:\n    secret: x\n    privileges:\n      roster: set\n      presence: roster',
    '6: components.a.org.privileges.presence: roster needs privileges.roster to be get or both'],
  ['components:\n  a.org: { secret: x, connections: two }',
    '2: components.a.org.connections: found "two", expected one or many'],
  ['components:\n  a.org: { secret: x, delegate: urn:x }\n  b.org: { secret: x, delegate: [urn:x] }',
    '3: components.b.org.delegate: urn:x is delegated to a.org already'],
  ['hosts: a.org\ncomponents:\n  A.org: { secret: x }', '3: components.A.org: a.org is one of hosts, and no component'],
  ['hosts: a.org\ncomponents:\n  conference.a.org: { secret: x }',
    '3: components.conference.a.org: conference.a.org is where the rooms of a.org are'],
  ['components:\n  b.org: { secret: x }\n  B.org: { secret: x }', '3: components.B.org: b.org is there twice'],
])('a mistake is told with its line, what was found and what is allowed: %j', (yaml, expected) => {
  expect(complaint(yaml)).toBe(`server.yaml:${expected}`)
})

test('a component may do nothing in the name of accounts but what it is given', () => {
  const yaml = 'listen: { component: 127.0.0.1:5347 }\ncomponents:\n  Gateway.example.org:\n    secret: x\n'
    + '    delegate: urn:x\n  other.example: { secret: y, privileges: { roster: both, iq: { urn:y: get } } }'

  const { components, warnings } = load(yaml)

  const nothing = { roster: 'none', rosterPush: true, message: 'none', presence: 'none', iq: {} }
  expect(components).toEqual({
    'gateway.example.org': { secret: 'x', privileges: nothing, delegate: ['urn:x'], connections: 'one' },
    'other.example': {
      secret: 'y', privileges: { ...nothing, roster: 'both', iq: { 'urn:y': 'get' } }, delegate: [], connections: 'one',
    },
  })
  expect(warnings).toEqual([])
})

test('the secret of a component can come from the environment, also one that looks like a number', () => {
  const variable = 'HELIOGRAPH_COMPONENTS_GATEWAY_EXAMPLE_ORG_SECRET'

  const { components } = load('components:\n  gateway.example.org:\n', { [variable]: '0123' })

  expect(components['gateway.example.org']?.secret).toBe('0123')
})

test('components that have nowhere to connect to are warned of', () => {
  expect(load('components: { a.org: { secret: x } }').warnings).toEqual([
    'components: without listen.component none can connect',
  ])
})
