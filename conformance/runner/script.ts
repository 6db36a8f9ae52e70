/**
 * Scansion's language: a header of `[Client] Name` blocks, a rule of dashes, then who connects, sends, receives and
 * disconnects. What comments say (the rule, `needs:`, `fails:`, `in any order`, `may come`) is ours; scansion skips it.
 * So are `[Server] Name` blocks, of other servers, which begin a stream, prove their domain and learn keys besides.
 */
export interface Character {
  readonly name: string
  readonly jid: string
  readonly password: string
  readonly resource: string | undefined
}

/** Another server. */
export interface Stranger {
  readonly name: string
  readonly domain: string
  /** Its connections begin without STARTTLS. */
  readonly isPlain: boolean
}

const VERBS = ['connects', 'begins', 'proves', 'learns', 'sends', 'receives', 'disconnects'] as const

export interface Step {
  readonly line: number
  readonly who: string
  readonly verb: typeof VERBS[number]
  /** What is sent or expected; `nothing` when no stanza is to come. */
  readonly xml: string
  /** Steps of one group are expected in whatever order they come. */
  readonly group: number | undefined
  /** The standard leaves it to the server: it may come now, later or not at all. */
  readonly optional: boolean
}

export interface Script {
  /** The section that it is about, and what that demands: the first line, at its colon. */
  readonly rule: string
  readonly title: string
  /** The extensions that the server must have. */
  readonly needs: readonly string[]
  /** Servers that are known to break the rule, and how. */
  readonly fails: ReadonlyMap<string, string>
  /** Stanzas that are never unexpected, whenever and however often they come. */
  readonly tolerated: readonly string[]
  readonly cast: readonly Character[]
  readonly strangers: readonly Stranger[]
  readonly steps: readonly Step[]
}

const RULE = /^-{3,}\s*$/
const COMMENT = /^(#|\/\/|--)/
const ACTION = new RegExp(`^(\\S.*?)\\s+(${VERBS.join('|')})\\s*:?\\s*(.*)$`)

/** Reads a script; an error names the line. */
export function parseScript (text: string): Script {
  const lines = text.split(/\r?\n/)
  const rule = lines.findIndex(line => RULE.test(line))
  if (rule === -1) throw new Error('there is no line of dashes between the characters and the play')
  const blocks = parseBlocks(lines.slice(0, rule))
  const [, section, title] = /^#\s*(.*?):\s*(.*)$/.exec(lines[0] ?? '') ?? []
  return {
    rule: section ?? '',
    title: title ?? '',
    needs: remarks(lines, 'needs').flatMap(names => names.split(',')).map(name => name.trim()),
    fails: new Map(remarks(lines, 'fails').map(remark => {
      const [server = '', ...why] = remark.split(':')
      return [server.trim(), why.join(':').trim()]
    })),
    tolerated: remarks(lines, 'at any time').map(xml => xml.trim()),
    cast: blocks.filter(({ kind }) => kind === 'Client').map(character),
    strangers: blocks.filter(({ kind }) => kind === 'Server').map(stranger),
    steps: parseSteps(lines, rule + 1, new Set(blocks.map(({ name }) => name))),
  }
}

function remarks (lines: readonly string[], key: string): string[] {
  return lines.filter(line => line.startsWith(`# ${key}:`)).map(line => line.slice(key.length + 3))
}

interface Block { readonly kind: string, readonly name: string, readonly properties: Map<string, string> }

function parseBlocks (lines: readonly string[]): readonly Block[] {
  const blocks: Block[] = []
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || COMMENT.test(line)) continue
    const [, kind, name] = /^\[(Client|Server)\]\s+(.+?)\s*$/.exec(line) ?? []
    const [, key, value] = /^\s+(\w+):\s*(.*?)\s*$/.exec(line) ?? []
    const last = blocks.at(-1)
    if (kind !== undefined && name !== undefined) blocks.push({ kind, name, properties: new Map() })
    else if (last && key !== undefined && value !== undefined) last.properties.set(key, value)
    else throw new Error(`line ${index + 1}: neither a character nor a property: ${line}`)
  }
  return blocks
}

function character ({ name, properties }: Block): Character {
  const jid = properties.get('jid')
  const password = properties.get('password')
  if (jid === undefined || password === undefined) throw new Error(`${name} needs a jid and a password`)
  const [bare = '', resource] = jid.split('/')
  return { name, jid: bare, password, resource: properties.get('resource') ?? resource }
}

function stranger ({ name, properties }: Block): Stranger {
  const domain = properties.get('domain')
  if (domain === undefined) throw new Error(`${name} needs a domain`)
  return { name, domain, isPlain: properties.get('tls') === 'no' }
}

function parseSteps (lines: readonly string[], first: number, names: ReadonlySet<string>): Step[] {
  const steps: Step[] = []
  let group: number | undefined
  let optional = false
  for (let index = first; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.trim() === '') continue
    if (COMMENT.test(line)) {
      if (/^#\s*in any order\b/i.test(line)) group = index
      if (/^#\s*may come\b/i.test(line)) optional = true
      continue
    }
    const action = parseAction(line, index + 1, names)
    const body = [action.xml]
    while (/^(\s|$)/.test(lines[index + 1] ?? 'x')) body.push(lines[++index] ?? '')
    const xml = body.join('\n').trim()
    if (action.verb !== 'receives' || xml === 'nothing') group = undefined
    steps.push({ ...action, xml, group, optional })
    optional = false
  }
  return steps
}

/** The first line of a step, with what it has of the XML. */
function parseAction (text: string, line: number, names: ReadonlySet<string>): Omit<Step, 'group' | 'optional'> {
  const [, who = '', verb, xml = ''] = ACTION.exec(text) ?? []
  if (!isVerb(verb) || !names.has(who)) throw new Error(`line ${line}: who does what? ${text}`)
  return { line, who, verb, xml }
}

function isVerb (word: string | undefined): word is Step['verb'] {
  return VERBS.some(verb => verb === word)
}
