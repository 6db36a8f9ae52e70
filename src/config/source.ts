/**
 * The sources of a configuration: a YAML file, overridden by environment variables. Records the line or variable of
 * each value, for the places of mistakes.
 */
import { readFileSync } from 'node:fs'
import { LineCounter, isMap as isYamlMap, isScalar, isSeq, parse, parseDocument, visit } from 'yaml'
import type { Alias, Document, ParsedNode } from 'yaml'
import type { z } from 'zod'
import { isMap } from './mistakes.ts'
import type { Flaw, Mistake, Path } from './mistakes.ts'
import { nearest } from '../util/nearest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A key that an environment variable may set. */
export interface Setting {
  readonly path: readonly string[]
  readonly schema: z.ZodType
}

const PREFIX = 'HELIOGRAPH_'

export class ConfigSource {
  readonly #file: string
  readonly #counter = new LineCounter()
  readonly #lines = new Map<string, number>()
  readonly #variables = new Map<string, string>()
  readonly #mistakes: Mistake[] = []
  #tree: unknown

  /** Reads the file; errors of YAML are in `mistakes`. */
  constructor (file: string) {
    this.#file = file
    const document = parseDocument(this.#read(), { lineCounter: this.#counter, prettyErrors: false, uniqueKeys: false })
    for (const { message, pos } of [...document.errors, ...document.warnings]) {
      this.#report([], pos[0], `not YAML: ${message}`)
    }
    visit(document, { Alias: (_, alias) => { this.#checkAlias(alias, document) } })
    if (this.#mistakes.length > 0) return
    this.#index(document.contents, [])
    this.#tree = withoutNulls(document.toJS()) ?? {}
  }

  /** Undefined when the file can't be read, or is not YAML. */
  get tree (): unknown {
    return this.#tree
  }

  get mistakes (): readonly Mistake[] {
    return this.#mistakes
  }

  /** Sets a top-level key that the file lacks. */
  setDefault (key: string, value: unknown): void {
    if (isMap(this.#tree) && this.#tree[key] === undefined) this.#tree = { ...this.#tree, [key]: value }
  }

  /** Applies the environment's variables; returns a sentence for each variable with our prefix that is unknown. */
  override (settings: readonly Setting[], environment: Environment): readonly string[] {
    const known = new Map(settings.map(setting => [variableName(setting.path), setting]))
    const strays: string[] = []
    for (const [name, value] of Object.entries(environment)) {
      if (!name.startsWith(PREFIX) || value === undefined || value === '') continue
      const setting = known.get(name)
      if (setting) this.#set(setting, name, value)
      else strays.push(describeStray(name, known.keys()))
    }
    return strays
  }

  /** Adds the place of a flaw: the variable that set the key, its line, or the line of its parent. */
  locate ({ path, text }: Flaw): Mistake {
    for (let length = path.length; length > 0; length--) {
      const key = pathKey(path.slice(0, length))
      const variable = this.#variables.get(key)
      if (variable !== undefined) return { path, text, line: 0, where: `environment variable ${variable}` }
      const line = this.#lines.get(key)
      if (line !== undefined) return { path, text, line, where: `${this.#file}:${line}` }
    }
    return { path, text, line: 1, where: `${this.#file}:1` }
  }

  #read (): string {
    try {
      return readFileSync(this.#file, 'utf8')
    } catch (error) { // the file system's: ENOENT, EACCES, EISDIR
      const text = `the file can't be read: ${error instanceof Error ? error.message : String(error)}`
      this.#mistakes.push({ path: [], text, line: 0, where: this.#file })
      return ''
    }
  }

  #report (path: Path, offset: number, text: string): void {
    const line = this.#lineAt(offset)
    this.#mistakes.push({ path, text, line, where: `${this.#file}:${line}` })
  }

  #lineAt (offset: number): number {
    return this.#counter.linePos(offset).line
  }

  #index (node: ParsedNode | null, path: Path): void {
    if (isYamlMap<ParsedNode, ParsedNode | null>(node)) {
      for (const { key, value } of node.items) {
        const inner = [...path, isScalar(key) ? String(key.value) : key.toString()]
        this.#indexKey(inner, key.range[0])
        this.#index(value, inner)
      }
    } else if (isSeq<ParsedNode>(node)) {
      for (const [position, item] of node.items.entries()) {
        const inner = [...path, position]
        this.#lines.set(pathKey(inner), this.#lineAt(item.range[0]))
        this.#index(item, inner)
      }
    }
  }

  // An unresolved alias would make toJS throw.
  #checkAlias (alias: Alias, document: Document): void {
    if (alias.resolve(document) || !alias.range) return
    this.#report([], alias.range[0], `*${alias.source} stands for nothing, there is no &${alias.source} before it`)
  }

  #indexKey (path: Path, offset: number): void {
    const first = this.#lines.get(pathKey(path))
    if (first === undefined) this.#lines.set(pathKey(path), this.#lineAt(offset))
    else this.#report(path, offset, `the key is there twice, first in line ${first}`)
  }

  #set ({ path, schema }: Setting, name: string, text: string): void {
    this.#variables.set(pathKey(path), name)
    this.#tree = withValue(this.#tree, path, schema.safeParse(text).success ? text : parseVariable(text))
  }
}

/** `limits.stanza-bytes` is set by HELIOGRAPH_LIMITS_STANZA_BYTES. */
function variableName (path: readonly string[]): string {
  return PREFIX + path.join('_').replaceAll(/[^a-z0-9]/gi, '_').toUpperCase()
}

// Numbers, booleans and [lists] are in YAML; any other value is a text.
function parseVariable (text: string): unknown {
  try {
    return parse(text)
  } catch { // a YAMLParseError
    return text
  }
}

function describeStray (name: string, known: Iterable<string>): string {
  const meant = nearest(name, known)
  return `the environment variable ${name} sets nothing${meant === undefined ? '' : `, did you mean ${meant}?`}`
}

function withValue (tree: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value
  if (tree !== undefined && !isMap(tree)) return tree // another mistake, or an extension that is off
  return { ...tree, [key]: withValue(tree?.[key], rest, value) }
}

// A key without a value (all its lines are comments) counts as missing.
function withoutNulls (value: unknown): unknown {
  if (value === null) return undefined
  if (!isMap(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutNulls(inner)]))
}

function pathKey (path: Path): string {
  return path.map(String).join('\0')
}
