import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { extensions } from '../../extensions/index.ts'
import { coreSchema, settingsOf } from './schema.ts'
import { ConfigError, loadConfig } from './config.ts'
import type { Config } from './config.ts'
import { PRIVATE_NETWORKS } from '../net/networks.ts'
import { makeSelfSigned } from '../net/self-signed.ts'

const EXTENSIONS = [
  { name: 'ping' },
  {
    name: 'archive',
    config: z.object({ retention: z.union([z.literal('forever'), z.int().min(1)]).default('forever') }),
  },
  { name: 'form', config: z.strictObject({ open: z.boolean() }).prefault({ open: false }) },
  {
    name: 'push',
    config: z.strictObject({
      'max-devices': z.int().default(10),
      'secret': z.string().optional(),
      'hosts': z.record(z.string(), z.unknown()).optional(),
    }),
  },
]

const ADDRESS = 'expected ADDRESS:PORT, like 0.0.0.0:5222, localhost:5222 or "[::]:5222"'
const BALANCER = 'expected true, false or the address or network of a balancer, like 10.0.0.5 or 10.0.0.0/8'

const folder = mkdtempSync(join(tmpdir(), 'heliograph-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write (name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

function load (yaml: string, environment: Readonly<Record<string, string>> = {}): Config {
  return loadConfig(write('server.yaml', yaml), environment, EXTENSIONS)
}

/** What loading complains of, a line each, without the folder. */
function complaints (yaml: string, environment: Readonly<Record<string, string>> = {}): readonly string[] {
  try {
    load(yaml, environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replaceAll(`${folder}/`, '').split('\n')
    throw error
  }
}

describe('a mistake is told with its line, what was found and what is allowed', () => {
  test.each([
    ['hosts:\n  - a.org\n  - "no host"',
      '3: hosts.1: found "no host", expected a domain name, like example.org'],
    ['hosts: romeo@a.org', '1: hosts: found "romeo@a.org", expected a domain name, like example.org'],
    ['hosts: []', '1: hosts: found [], expected at least one domain name'],
    ['hosts:\n  - a.org\n  - A.org', '3: hosts.1: a.org is there twice'],
    ['node: 5', '1: node: found 5, expected a name of letters, digits, dots and hyphens'],
    ['node: my node', '1: node: found "my node", expected a name of letters, digits, dots and hyphens'],
    ['database: mysql://me:geheim@db/x',
      '1: database: found "mysql://…@db/x", expected embedded or postgres://USER:SECRET@HOST:5432/NAME'],
    ['sessions: disk', '1: sessions: found "disk", expected memory or redis://HOST:6379'],
    ['\nlisten:\n  client: 0.0.0.0:99999',
      `3: listen.client: found "0.0.0.0:99999", ${ADDRESS}`],
    ['listen:\n  client:\n    - 0.0.0.0:1\n    - 300.0.0.1:2',
      `4: listen.client.1: found "300.0.0.1:2", ${ADDRESS}`],
    ['listen:\n  http: { at: 0.0.0.0:1, proxy_protocol: true }',
      '2: listen.http.proxy_protocol: there is no such key, did you mean "proxy-protocol"? '
      + '(allowed here: at, proxy-protocol)'],
    ['listen:\n  http: { proxy-protocol: true }',
      `2: listen.http.at: is missing, ${ADDRESS}`],
    ['listen:\n  http:\n    at: 0.0.0.0:1\n    proxy-protocol: 10.0.0.0/33',
      `4: listen.http.proxy-protocol: found "10.0.0.0/33", ${BALANCER}`],
    ['listen:\n  http:\n    at: 0.0.0.0:1\n    proxy-protocol:\n      - 10.0.0.1\n      - balancer',
      `6: listen.http.proxy-protocol.1: found "balancer", ${BALANCER}`],
    ['listen:\n  http: { at: 0.0.0.0:1, proxy-protocol: [] }',
      '2: listen.http.proxy-protocol: found [], expected at least one address or network, or false'],
    ['listen:\n  client: 0.0.0.0:1\n  http: 0.0.0.0:1',
      '3: listen.http: 0.0.0.0 port 1 is that of listen.client'],
    ['listen:\n  client: 0.0.0.0:1\n  http: 127.0.0.1:1',
      '3: listen.http: 127.0.0.1 port 1 is that of listen.client'],
    ['listen:\n  client: "[::1]:1"\n  http: "[::]:1"', '3: listen.http: :: port 1 is that of listen.client'],
    ['hosts:\n  - a.org\n  - conference.a.org',
      '3: hosts.1: conference.a.org is where the rooms of a.org are, and is served with it'],
    ['hosts:\n  - Conference.A.org\n  - a.org',
      '2: hosts.0: conference.a.org is where the rooms of a.org are, and is served with it'],
    ['hosts: a.org\ntls:\n  hosts:\n    a.org: {}\n    A.org: {}', '5: tls.hosts.A.org: a.org is there twice'],
    ['hosts: a.org\nextensions:\n  push:\n    hosts:\n      a.org: {}\n      A.org: {}',
      '6: extensions.push.hosts.A.org: a.org is there twice'],
    ['federation:\n  trust: anybody', '2: federation.trust: found "anybody", expected certificate or dialback'],
    ['federation: maybe', '1: federation: found "maybe", expected a map of keys to values'],
    ['federation:\n  give-up-hours: 0',
      '2: federation.give-up-hours: found 0, expected a number of hours above 0, like 24 or 0.5'],
    ['federation:\n  resolver: localhost:53',
      '2: federation.resolver: found "localhost:53", '
      + 'expected system or the ADDRESS:PORT of a DNS server, like 127.0.0.1:53'],
    ['federation:\n  block: [a.org, "no host"]',
      '2: federation.block.1: found "no host", expected a domain name, like example.org'],
    ['federation:\n  domains:\n    a.org: { address: a.org }',
      '3: federation.domains.a.org.address: found "a.org", expected HOST:PORT, like xmpp.example.org:5269 or "[::1]:5269"'],
    ['federation:\n  domains:\n    a.org: {}\n    A.org: {}', '4: federation.domains.A.org: a.org is there twice'],
    ['federation:\n  quee: 5',
      '2: federation.quee: there is no such key, did you mean "queue"? (allowed here: trust, allow, block, give-up-hours, '
      + 'queue, bytes-per-second, stanza-bytes, resolver, authorities, domains)'],
    ['listen:\n  server: 0.0.0.0:1\n  server-tls: 0.0.0.0:1',
      '3: listen.server-tls: 0.0.0.0 port 1 is that of listen.server'],
    ['auth:\n  require-tls: "no"', '2: auth.require-tls: found "no", expected true or false'],
    ['auth: { resource-conflict: kick }',
      '1: auth.resource-conflict: found "kick", expected replace or refuse'],
    // RFC 6120 §13.12
    ['limits:\n  stanza-bytes: 9999', '2: limits.stanza-bytes: found 9999, expected a whole number from 10000'],
    ['limits:\n  presence-bytes: 9999', '2: limits.presence-bytes: found 9999, expected a whole number from 10000'],
    ['limits:\n  idle-seconds: 1.5', '2: limits.idle-seconds: found 1.5, expected a whole number from 0'],
    ['limits: 5', '1: limits: found 5, expected a map of keys to values'],
    ['limits:\n  stanza-byte: 5',
      '2: limits.stanza-byte: there is no such key, did you mean "stanza-bytes"? (allowed here: stanza-bytes, presence-bytes, '
      + 'bytes-per-second, streams-per-address, failed-logins-per-minute, login-seconds, idle-seconds, unread-bytes, '
      + 'roster-items, roster-bytes)'],
    ['contact:\n  abuse: [mailto:a@b.org, nobody]',
      '2: contact.abuse.1: found "nobody", expected a URI, like mailto:abuse@example.org or xmpp:abuse@example.org'],
    ['log: { level: loud }',
      '1: log.level: found "loud", expected one of trace, debug, info, warn, error, fatal, silent'],
    ['tls:\n  hosts:\n    b.org: {}',
      '3: tls.hosts.b.org: is not served, expected one of hosts or a part of it (localhost)'],
    [
      'tls:\n  hosts:\n    "no host": {}',
      '3: tls.hosts.no host: found "no host", expected a domain name, like example.org',
    ],
    ['hosts: [a.org, b.org]\nextensions:\n  push:\n    hosts:\n      B.org: {}\n      c.org: {}',
      '6: extensions.push.hosts.c.org: is not served, expected one of hosts (a.org, b.org)'],
    ['extensions:\n  pnig: false',
      '2: extensions.pnig: there is no such key, did you mean "ping"? (allowed here: ping, archive, form, push)'],
    ['extensions:\n  ping: { x: 1 }', '2: extensions.ping.x: there is no such key (nothing is allowed here)'],
    ['extensions:\n  archive: maybe', '2: extensions.archive: found "maybe", expected a map of keys to values'],
    ['extensions:\n  archive:\n    retention: long',
      '3: extensions.archive.retention: found "long", expected forever or a number'],
    ['extensions:\n  archive:\n    retension: 5',
      '3: extensions.archive.retension: there is no such key, did you mean "retention"? (allowed here: retention)'],
    ['extensions:\n  push:\n    secret: 12345',
      '3: extensions.push.secret: found another value, expected a text'],
    ['- hosts', '1: found ["hosts"], expected a map of keys to values'],
    ['node: a\nnode: b', '2: node: the key is there twice, first in line 1'],
    ['node: a\ndata: *there', '2: *there stands for nothing, there is no &there before it'],
    ['node: a\nhosts: [b',
      '2: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ])('%j', (yaml, expected) => {
    expect(complaints(yaml)).toEqual([`server.yaml:${expected}`])
  })
})

test('all mistakes are told at once, in the order of their lines', () => {
  const yaml = 'hots: [a]\nlisten:\n  client: 5222\n  http: [127.0.0.1:5280, x]\nlog:\n  level: 7\n'
    + 'extensions:\n  archive: { a: 1 }\nnode: a\nnode: a\n'

  expect(complaints(yaml).map(line => line.split(': ', 2).join(' '))).toEqual([
    'server.yaml:1 hots', 'server.yaml:3 listen.client', 'server.yaml:4 listen.http.1', 'server.yaml:6 log.level',
    'server.yaml:8 extensions.archive.a', 'server.yaml:10 node',
  ])
})

test('a file that is not there is a mistake', () => {
  expect(() => loadConfig(join(folder, 'none.yaml'), {}, EXTENSIONS))
    .toThrow(/none\.yaml: the file can't be read: ENOENT/)
})

test('an empty file is the defaults, and everything is on', () => {
  const config = load('')

  expect(config).toMatchObject({
    hosts: ['localhost'],
    database: 'embedded',
    data: join(folder, 'data'),
    listen: {
      client: [{ host: '0.0.0.0', port: 5222, proxyProtocol: [] }],
      clientTls: [{ host: '0.0.0.0', port: 5223 }],
      http: [{ host: '127.0.0.1', port: 5280 }],
      server: [],
      serverTls: [],
      component: [],
    },
    federation: false,
    auth: { requireTls: true, anonymous: false, resourceConflict: 'replace' },
    limits: { stanzaBytes: 262144, presenceBytes: 16384, failedLoginsPerMinute: 10, unreadBytes: 536870912 },
    warnings: [],
  })
  expect(config.extensions).toEqual({
    ping: undefined, archive: { retention: 'forever' }, form: { open: false }, push: { 'max-devices': 10 },
  })
})

test.each([
  ['', false],
  ['extensions:\n  ping: true\n  shy:', false],
  ['extensions:\n  shy: true', { minutes: 10 }],
  ['extensions:\n  shy: { minutes: 5 }', { minutes: 5 }],
])('an extension to opt in to is on where the config says so: %j', (yaml, options) => {
  const shy = { name: 'shy', isOptIn: true as const, config: z.strictObject({ minutes: z.int().default(10) }) }

  const config = loadConfig(write('server.yaml', yaml), {}, [...EXTENSIONS, shy])

  expect(config.extensions['shy']).toEqual(options)
})

test('a key with nothing behind it is as good as left out', () => {
  expect(load('hosts:\nlimits:\n  # stanza-bytes: 5\nextensions:\n  archive:\n')).toEqual(load(''))
})

test('hosts are prepared, and paths start from the folder of the file', () => {
  expect(load('hosts: [EXAMPLE.org, BÜCHER.example]\ndata: ../elsewhere')).toMatchObject({
    hosts: ['example.org', 'bücher.example'], data: join(folder, '../elsewhere'),
  })
})

test('a service listens where its key says, and what is left out does not', () => {
  const { listen } = load('listen:\n  client: [0.0.0.0:1, { at: "[::1]:2", proxy-protocol: true }]\n')

  expect(listen).toEqual({
    client: [
      { host: '0.0.0.0', port: 1, proxyProtocol: [] }, { host: '::1', port: 2, proxyProtocol: PRIVATE_NETWORKS },
    ],
    clientTls: [], http: [], server: [], serverTls: [], component: [],
  })
})

test.each([
  ['true', PRIVATE_NETWORKS], ['false', []], ['10.0.0.5', ['10.0.0.5']],
  ['[10.0.0.0/8, "fd00::/8"]', ['10.0.0.0/8', 'fd00::/8']],
])('the PROXY protocol is believed of whom it says: %s', (yaml, expected) => {
  const { listen } = load(`listen:\n  client: { at: 0.0.0.0:1, proxy-protocol: ${yaml} }\n`)

  expect(listen.client.map(({ proxyProtocol }) => proxyProtocol)).toEqual([expected])
})

test.each([
  ['extensions: { archive: false }', { archive: false, push: { 'max-devices': 10 } }],
  ['extensions: { archive: true }', { archive: { retention: 'forever' } }],
  ['extensions: false', { ping: false, archive: false, push: false }],
])('an extension is turned off by false: %s', (yaml, expected) => {
  expect(load(yaml).extensions).toMatchObject(expected)
})

describe('other servers', () => {
  const defaults = {
    trust: 'certificate', allow: [], block: [], giveUpHours: 24, queue: 10_000, bytesPerSecond: 1_000_000,
    stanzaBytes: 524_288, resolver: 'system', domains: {},
  }

  test.each([
    ['listen: { server: 0.0.0.0:1 }', defaults],
    ['listen: { server-tls: 0.0.0.0:1 }', defaults],
    ['listen: { client: 0.0.0.0:1 }', false],
    ['federation: {}', defaults],
    ['federation: false', false],
  ])('are talked to where there is a listener for them or settings: %s', (yaml, expected) => {
    expect(load(yaml).federation).toEqual(expected)
  })

  test('that would find a port closed are warned of', () => {
    expect(load('federation: false\nlisten: { server: 0.0.0.0:1 }').warnings)
      .toEqual(['federation: is false, nothing listens at listen.server and listen.server-tls'])
  })

  test('have settings, and single domains some of their own', () => {
    write('ca.pem', makeSelfSigned(['authority']).certificate)

    const { federation } = load('federation:\n  trust: dialback\n  block: spam.example\n  give-up-hours: 0.5\n'
      + '  resolver: "[::1]:5353"\n  authorities: ca.pem\n  domains:\n'
      + '    OTHER.example: { address: 127.0.0.1:15269, trust: certificate }\n    six.example: { address: "[::1]:5269" }\n')

    expect(federation).toEqual({
      ...defaults, trust: 'dialback', block: ['spam.example'], giveUpHours: 0.5, resolver: { host: '::1', port: 5353 },
      authorities: join(folder, 'ca.pem'),
      domains: {
        'other.example': { address: { host: '127.0.0.1', port: 15269 }, trust: 'certificate' },
        'six.example': { address: { host: '::1', port: 5269 } },
      },
    })
  })

  test('are trusted by authorities that can be read', () => {
    write('empty.pem', '')

    expect(complaints('federation:\n  authorities: none.pem')).toEqual([
      expect.stringMatching(/^server\.yaml:2: federation\.authorities: found "none\.pem", expected a PEM file: ENOENT/),
    ])
    expect(complaints('federation:\n  authorities: empty.pem')).toHaveLength(1)
  })
})

describe('the environment', () => {
  test.each([
    ['HELIOGRAPH_HOSTS', '[a.org, b.org]', { hosts: ['a.org', 'b.org'] }],
    ['HELIOGRAPH_HOSTS', 'a.org', { hosts: ['a.org'] }],
    ['HELIOGRAPH_NODE', '7', { node: '7' }],
    ['HELIOGRAPH_DATABASE', 'postgres://me:x@db/y', { database: 'postgres://me:x@db/y' }],
    ['HELIOGRAPH_LISTEN_CLIENT_TLS', '[::1]:7', { listen: { clientTls: [{ host: '::1' }], client: [{ port: 5222 }] } }],
    ['HELIOGRAPH_LISTEN_HTTP', '[]', { listen: { http: [] } }],
    ['HELIOGRAPH_LIMITS_STREAMS_PER_ADDRESS', '3', { limits: { streamsPerAddress: 3, stanzaBytes: 20000 } }],
    ['HELIOGRAPH_AUTH_ANONYMOUS', 'true', { auth: { anonymous: true } }],
    ['HELIOGRAPH_EXTENSIONS_PING', 'false', { extensions: { ping: false } }],
    ['HELIOGRAPH_EXTENSIONS_PUSH_MAX_DEVICES', '4', { extensions: { push: { 'max-devices': 4 } } }],
    ['HELIOGRAPH_NODE', '', { node: 'file' }],
    ['HELIOGRAPH_LISTEN_SERVER', '0.0.0.0:5269', { federation: { trust: 'certificate' } }],
    ['HELIOGRAPH_FEDERATION_TRUST', 'dialback', { federation: { trust: 'dialback', queue: 10_000 } }],
    ['HELIOGRAPH_FEDERATION', 'false', { federation: false }],
  ])('overrides the file: %s=%s', (name, value, expected) => {
    const config = load('node: file\nlimits: { stanza-bytes: 20000 }', { [name]: value })

    expect(config).toMatchObject(expected)
    expect(config.warnings).toEqual([])
  })

  test('is named where the mistake is in it', () => {
    expect(complaints('limits:\n  stanza-bytes: 20000', { HELIOGRAPH_LIMITS_STANZA_BYTES: 'many' })).toEqual([
      'environment variable HELIOGRAPH_LIMITS_STANZA_BYTES: limits.stanza-bytes: found "many", '
      + 'expected a whole number from 10000',
    ])
  })

  test('does not hide that what it sets stands in something wrong', () => {
    expect(complaints('limits: 5', { HELIOGRAPH_LIMITS_STANZA_BYTES: '20000' })).toHaveLength(1)
  })

  test('with a name that is nearly right is warned of', () => {
    expect(load('', { HELIOGRAPH_DATABSE: 'x', PATH: '/bin' }).warnings).toEqual([
      'the environment variable HELIOGRAPH_DATABSE sets nothing, did you mean HELIOGRAPH_DATABASE?',
    ])
  })
})

describe('certificates', () => {
  const one = makeSelfSigned(['localhost'])
  write('one.pem', one.certificate)
  write('one.key', one.key)
  write('other.key', makeSelfSigned(['localhost']).key)

  test('may be given for all hosts and for one', () => {
    const pair = { certificate: join(folder, 'one.pem'), key: join(folder, 'one.key') }
    const given = '{ certificate: ./one.pem, key: one.key }'

    expect(load(`tls: { certificate: ./one.pem, key: one.key, hosts: { LOCALHOST: ${given} } }`).tls)
      .toEqual({ ...pair, hosts: { localhost: pair } })
  })

  test.each([
    ['tls:\n  certificate: one.pem\n  key: other.key',
      'server.yaml:3: tls.key: found "other.key", which can\'t be used with the certificate: the key belongs to another certificate',
    ],
    ['tls:\n  certificate: one.pem', 'server.yaml:1: tls.key: is missing, expected a path: certificate is there'],
    ['tls:\n  certificate: no.pem\n  key: one.key',
      expect.stringMatching(/^server\.yaml:2: tls\.certificate: found "no\.pem", expected a PEM file: ENOENT/)],
    ['tls:\n  hosts:\n    localhost:\n      certificate: one.pem\n      key: one.pem',
      expect.stringMatching(/^server\.yaml:5: tls\.hosts\.localhost\.key: found "one\.pem", expected a PEM file: /)],
  ])('that cannot be used are a mistake: %j', (yaml, expected) => {
    expect(complaints(yaml)).toEqual([expected])
  })

  test('that clients will refuse are warned of', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 11 * 365 * 24 * 3600_000 })
    const expired = makeSelfSigned(['localhost'])
    vi.setSystemTime(Date.now() + 12 * 365 * 24 * 3600_000)
    const early = makeSelfSigned(['localhost'])
    vi.useRealTimers()
    for (const [name, pair] of Object.entries({ expired, early, foreign: makeSelfSigned(['other.example']) })) {
      write(`${name}.pem`, pair.certificate)
      write(`${name}.key`, pair.key)
    }

    const warnings = ['one', 'expired', 'early', 'foreign']
      .map(name => load(`tls: { certificate: ${name}.pem, key: ${name}.key }`).warnings.join())

    expect(warnings).toEqual([
      '',
      expect.stringMatching(/^the certificate .*expired\.pem has expired on .*: clients will refuse it$/),
      expect.stringMatching(/early\.pem is not valid before /),
      expect.stringMatching(/foreign\.pem does not name localhost/),
    ])
    const own =
      '{ localhost: { certificate: one.pem, key: one.key }, a.localhost: { certificate: one.pem, key: one.key } }'
    expect(load(`tls: { hosts: ${own} }`).warnings).toEqual([
      expect.stringMatching(/one\.pem does not name a\.localhost/),
    ])
  })

  test('that other servers will refuse for rooms and nodes are warned of where there are other servers', () => {
    const own = makeSelfSigned(['localhost', 'conference.localhost', 'pubsub.localhost'])
    write('rooms.pem', own.certificate)
    write('rooms.key', own.key)
    const warnings = (name: string): readonly string[] =>
      load(`federation: {}\ntls: { certificate: ${name}.pem, key: ${name}.key }`).warnings

    expect(warnings('one')).toEqual([
      expect.stringMatching(/one\.pem does not name conference\.localhost: clients or other servers will refuse it$/),
      expect.stringMatching(/one\.pem does not name pubsub\.localhost: clients or other servers will refuse it$/),
    ])
    expect(warnings('rooms')).toEqual([])
  })

  test('are looked at also where other keys are wrong', () => {
    expect(complaints('tls:\n  certificat: x\n  certificate: one.pem\n  key: other.key')).toHaveLength(2)
  })
})

test.each([
  ['http: { origins: any }', 'any'],
  ['http: { origins: https://Chat.example.org/ }', ['https://chat.example.org']],
  ['http: { origins: ["https://a.org:443", "http://localhost:8000"] }', ['https://a.org', 'http://localhost:8000']],
  ['http: { origins: [] }', []],
])('origins of web pages are read as browsers write them: %s', (yaml, origins) => {
  expect(load(yaml).http.origins).toEqual(origins)
})

test.each(['chat.example.org', 'https://a.org/path', 'ftp://a.org', '"*"'])(
  'is no origin of a web page: %s',
  origin => {
    expect(complaints(`http: { origins: [${origin}] }`)).toHaveLength(1)
  })

test('what is accepted and not served yet is warned of', () => {
  const yaml = 'listen: { component: 127.0.0.1:5347 }'

  expect(load(yaml).warnings.map(warning => warning.split(':')[0])).toEqual(['listen.component'])
})

describe('the files in config/', () => {
  const shipped = join(import.meta.dirname, '../../config')

  test('server.yaml says the defaults', () => {
    const file = join(shipped, 'server.yaml')
    const defaults = loadConfig(write('empty.yaml', ''), {}, extensions)

    // Its data folder is that of the checkout.
    expect(loadConfig(file, {}, extensions)).toEqual({ ...defaults, file, data: join(shipped, '../data') })
  })

  test('server.yaml names every key, with a comment', () => {
    const text = readFileSync(join(shipped, 'server.yaml'), 'utf8')
    const settings = settingsOf(coreSchema(folder), []).map(({ path }) => path.at(-1))
    const keys = [...settings, ...extensions.map(one => one.name)]

    expect(keys.filter(key => !new RegExp(`^ *(# )?${key}:.* # .`, 'm').test(text))).toEqual([])
  })

  test('a copy of the server.yaml of 0.1.0 is read', () => {
    const yaml = 'extensions: { offline: { limit: 1000 } }'

    expect(() => loadConfig(write('old.yaml', yaml), {}, extensions)).not.toThrow()
  })

  test('cluster.yaml is a node of a cluster', () => {
    const { sessions, database, warnings } = loadConfig(join(shipped, 'cluster.yaml'), {}, EXTENSIONS)

    expect({ sessions, database, warnings }).toEqual({
      sessions: 'redis://127.0.0.1:6379',
      database: 'postgres://heliograph:heliograph@127.0.0.1:5432/heliograph',
      warnings: [],
    })
  })

  test('bare.yaml has no extension, and nothing beyond this machine', () => {
    const { extensions, listen } = loadConfig(join(shipped, 'bare.yaml'), {}, EXTENSIONS)

    expect(Object.values(extensions)).toEqual([false, false, false, false])
    expect(Object.values(listen).flat().map(({ host }) => host)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1'])
  })
})
