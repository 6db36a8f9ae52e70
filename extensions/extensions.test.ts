/** What every extension says of itself. */
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { extensions } from './index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n').filter(line =>
  line.startsWith('|')
)

describe.each([...extensions])('the extension $name', ({ name, xeps, after }) => {
  const [head = ''] = readFileSync(new URL(`${name}/index.ts`, import.meta.url), 'utf8').split('*/')

  test('names what it implements, with the version', () => {
    expect(xeps).not.toEqual([])
    for (const xep of xeps) expect(xep).toMatch(/^\d{4}@\d+\.\d+(\.\d+)?$/)
  })

  test('says so at the head of its file, by number and title', () => {
    for (const xep of xeps) expect(head).toMatch(new RegExp(`XEP-${xep.slice(0, 4)}: [A-Z]?\\w+`))
  })

  test('stands in the table of the README, with a link and what it implements', () => {
    const lines = readme.filter(line => line.split('|')[1]?.includes(`[${name}](extensions/${name})`))

    expect(xeps.filter(xep => !lines.some(line => line.includes(xep.slice(0, 4))))).toEqual([])
    expect(lines).not.toEqual([])
  })

  test('comes after none but extensions that there are', () => {
    const names = extensions.map(one => one.name)

    expect((after ?? []).filter(one => !names.includes(one))).toEqual([])
  })
})

test('each folder of extensions is one of the list', () => {
  const entries = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })

  const folders = entries.filter(entry => entry.isDirectory()).map(folder => folder.name)
  expect(folders.sort()).toEqual(extensions.map(one => one.name).sort())
})

/** The tables of the database. */
const tables = globSync('migrations/*.sql').flatMap(file =>
  [...readFileSync(file, 'utf8').matchAll(/^create (?:unlogged )?table (\w+)/gm)].map(([, table = '']) => table)
)

/** The tables that the SQL in a file names. */
function tablesIn (text: string): readonly string[] {
  const named = new Set([...text.matchAll(/\b(?:from|into|update|join) (\w+)/g)].map(([, name]) => name))
  return tables.filter(table => named.has(table))
}

/** Extensions whose SQL joins a table of the core, and why the core does not read it for them. */
const JOINS: Readonly<Record<string, string>> = {
  'account in extensions/archive': 'retention walks the accounts; what former accounts of a name sent is told apart',
  'room in extensions/group-status': 'positions are saved only for rooms that there still are',
  'room_affiliation in extensions/group-status': 'members are counted, and not read',
  'room_affiliation in extensions/members-away': 'one query finds the rooms of many accounts that log in at once',
}

test('a table is named in the SQL of one extension or of the core, joins that have a reason aside', () => {
  const files = globSync(['src/**/*.ts', 'extensions/**/*.ts']).filter(file => !file.endsWith('.test.ts'))
  const uses = files.flatMap(file => {
    const folder = file.startsWith('src/') ? 'src' : file.split('/', 2).join('/')
    return tablesIn(readFileSync(file, 'utf8')).map(table => ({ table, folder }))
  })

  const isShared = ({ table, folder }: typeof uses[number]): boolean =>
    folder !== 'src' && uses.some(other => other.table === table && other.folder !== folder)
  const shared = new Set(uses.filter(isShared).map(({ table, folder }) => `${table} in ${folder}`))

  expect(uses.length).toBeGreaterThan(20)
  expect([...shared].sort()).toEqual(Object.keys(JOINS).sort())
})
