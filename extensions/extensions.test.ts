/** What every extension says of itself. */
import { readdirSync, readFileSync } from 'node:fs'
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
