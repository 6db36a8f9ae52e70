/** RESULTS.md's table: for each script the rule, and who passes it. One server's column is written at a time. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Script } from './runner/script.ts'
import { SERVERS } from './servers.ts'

export interface Outcome {
  readonly file: string
  readonly script: Script
  /** What differed, at which line; nothing when it passed. */
  readonly problem: string | undefined
}

const HEAD = `| rule | script | ${SERVERS.join(' | ')} |\n|---|---|${SERVERS.map(() => '---').join('|')}|\n`
const TABLE = /\| rule \| script \|[^]*?\n(?=\n|$)/

/** Keeps the columns that this run did not play, and the rows whose script is still there. */
export function writeTable (path: string, server: string, outcomes: readonly Outcome[]): void {
  const text = readFileSync(path, 'utf8')
  const rows = readRows(TABLE.exec(text)?.[0] ?? '')
  for (const { file, script, problem } of outcomes) {
    const row = rows.get(file) ?? { rule: '', passes: new Map<string, string>() }
    row.rule = `${script.rule}: ${script.title}`.replaceAll('|', '\\|')
    row.passes.set(server, problem === undefined ? 'yes' : 'no')
    rows.set(file, row)
  }
  const there = [...rows].filter(([file]) => existsSync(join(dirname(path), file)))
  const table = HEAD + there.sort(([a], [b]) => a < b ? -1 : 1).map(([file, { rule, passes }]) =>
    `| ${rule} | [${file}](${file}) | ${SERVERS.map(name => passes.get(name) ?? '').join(' | ')} |\n`).join('')
  writeFileSync(path, TABLE.test(text) ? text.replace(TABLE, () => table) : `${text.trimEnd()}\n\n${table}`)
}

function readRows (table: string): Map<string, { rule: string, passes: Map<string, string> }> {
  const rows = new Map<string, { rule: string, passes: Map<string, string> }>()
  for (const line of table.split('\n').slice(2)) {
    const [, rule = '', link = '', ...cells] = line.split(/(?<!\\)\|/).map(cell => cell.trim())
    const file = /\[(.+?)\]/.exec(link)?.[1]
    const passes = new Map<string, string>(SERVERS.map((name, index) => [name, cells[index] ?? '']))
    if (file !== undefined) rows.set(file, { rule, passes })
  }
  return rows
}
