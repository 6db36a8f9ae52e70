/** The command line of the bench. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

/** So many nodes of ours as one server. */
export type NodesName = `nodes-${number}`
export type ServerName = 'ours' | 'prosody' | 'ejabberd' | NodesName
export type LoadName =
  | 'chat' | 'archived' | 'login' | 'idle' | 'idle-tls' | 'latency' | 'archived-latency' | 'archived-ack'
  | 'muc' | 'muc-archived' | 'muc-latency' | 'muc-archived-latency'
  | 'pubsub' | 'pubsub-items' | 'pubsub-login'

export interface Options {
  readonly loads: readonly LoadName[]
  readonly servers: readonly ServerName[]
  readonly rounds: number
  /** Measured, after `warmup` seconds that are not. */
  readonly seconds: number
  readonly warmup: number
  readonly pairs: number
  readonly window: number
  readonly streams: number
  readonly rate: number
  /** Who is in the room, and how many of them talk. */
  readonly occupants: number
  readonly senders: number
  /** Messages a second in the room, where times are taken. */
  readonly roomRate: number
  /** Who has subscribed to a node, or asks for its items. */
  readonly subscribers: number
  readonly sessions: number
  /** Seconds that idle sessions are left alone before they are weighed. */
  readonly wait: number
  readonly serverCore: number | undefined
  readonly generatorCores: readonly (number | undefined)[]
  readonly markdown: boolean
  readonly keep: boolean
}

/** Whether both sides' archives, or the room's, keep every message, and clients ask for acks. */
export function isArchived (load: LoadName): boolean {
  return load.includes('archived')
}

/** Whether the messages are for a room. */
export function isInRoom (load: LoadName): boolean {
  return load.startsWith('muc')
}

/** Whether it is about nodes (XEP-0060). */
export function isOfNodes (load: LoadName): boolean {
  return load.startsWith('pubsub')
}

export function nodesName (count: number): NodesName {
  return `nodes-${count}`
}

/** How many nodes the server has, where it is a cluster. */
export function nodesIn (server: ServerName): number | undefined {
  const count = /^nodes-(\d+)$/.exec(server)?.[1]
  return count === undefined ? undefined : Number(count)
}

/** Whether the figure is a time. */
export function isTimed (load: LoadName): boolean {
  return load.endsWith('latency') || load === 'archived-ack'
}

export const USAGE =
  `npm run bench -- [chat] [archived] [login] [idle] [muc] [muc-archived] [pubsub] [pubsub-items] [pubsub-login] [options]
                    (the first four when no load is named)
  --only ours,prosody,ejabberd   the servers, in this order
  --rounds 3        interleaved: every server once, then again
  --seconds 10      measured in each round, after --warmup 3
  --pairs 50        chat, archived: clients that talk two by two; --window 4 messages on their way from each
  --streams 128     login: at a time
  --sessions 3000   idle; --wait 110 seconds before they are weighed; --tls weighs TLS sessions as well
  --latency         chat, archived at --rate 500 messages a second: the time from write to arrival, and to the ack
  --occupants 200   muc, muc-archived: who is in the room; --senders 5 of them talk, --window 4 as above;
                    with --latency at --room-rate 20 messages a second
  --subscribers 100 pubsub: who hears of what one publishes, --window 4 as above; pubsub-items: who asks for 20 items;
                    pubsub-login: contacts with five nodes each, of somebody who logs in
  --nodes 1,2,4     in place of the peers so many nodes of ours on one Redis, with half of the pairs between two nodes;
                    with --latency also the time that the way from node to node adds
  --markdown        prints the table for docs/performance.md
  --keep            leaves the servers' folders where they are
  federation --help in place of all that: measures servers that talk to each other
`

const SERVERS: readonly ServerName[] = ['ours', 'prosody', 'ejabberd']
const LOADS: readonly LoadName[] = ['chat', 'archived', 'login', 'idle']
const OTHERS: readonly LoadName[] = ['muc', 'muc-archived', 'pubsub', 'pubsub-items', 'pubsub-login']
/** What is measured besides, where times are asked for. */
const TIMES: Readonly<Partial<Record<LoadName, readonly LoadName[]>>> = {
  'chat': ['latency'], 'archived': ['archived-latency', 'archived-ack'],
  'muc': ['muc-latency'], 'muc-archived': ['muc-archived-latency'],
}
const TALKS: readonly LoadName[] = ['chat', 'archived']
const NUMBERS = {
  rounds: '3', seconds: '10', warmup: '3', pairs: '50', window: '4', streams: '128', rate: '500', sessions: '3000',
  wait: '110', occupants: '200', senders: '5', 'room-rate': '20',
  subscribers: '100',
} as const
const TEXT = { type: 'string' } as const
const FLAGS = ['tls', 'latency', 'markdown', 'keep', 'help'] as const

/** Reads `args`; what it can't understand is an error whose message says so. */
export function readOptions (args: readonly string[]): Options | undefined {
  const { values, positionals } = parse(args)
  if (values['help'] === true) return undefined
  const number = (name: keyof typeof NUMBERS): number => positive(name, String(values[name]))
  const named = positionals.map(name => oneOf([...LOADS, ...OTHERS], name))
  const times = (named.length > 0 ? named : ['chat' as const]).flatMap(load => TIMES[load] ?? [])
  const extra: readonly LoadName[] = [
    ...(values['tls'] === true ? ['idle-tls' as const] : []),
    ...(values['latency'] === true ? times : []),
  ]
  return {
    loads: [...(named.length + extra.length > 0 ? named : values['nodes'] === undefined ? LOADS : TALKS), ...extra],
    servers: chooseServers(values['only'], values['nodes']),
    rounds: number('rounds'),
    seconds: number('seconds'),
    warmup: number('warmup'),
    pairs: number('pairs'),
    window: number('window'),
    streams: number('streams'),
    rate: number('rate'),
    occupants: number('occupants'),
    senders: number('senders'),
    roomRate: number('room-rate'),
    subscribers: number('subscribers'),
    sessions: number('sessions'),
    wait: number('wait'),
    ...cores(),
    markdown: values['markdown'] === true,
    keep: values['keep'] === true,
  }
}

function chooseServers (only: unknown, nodes: unknown): readonly ServerName[] {
  if (typeof nodes === 'string') return ['ours', ...nodes.split(',').map(count => nodesName(positive('nodes', count)))]
  return typeof only === 'string' ? only.split(',').map(name => oneOf(SERVERS, name)) : SERVERS
}

function parse (args: readonly string[]): ReturnType<typeof parseArgs> {
  const numbers = Object.entries(NUMBERS).map(([name, value]) => [name, { type: 'string' as const, default: value }])
  const flags = FLAGS.map(name => [name, { type: 'boolean' as const }])
  const options = { ...Object.fromEntries(numbers), ...Object.fromEntries(flags), only: TEXT, nodes: TEXT }
  return parseArgs({ args: [...args], options, allowPositionals: true })
}

export function positive (name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name}: ${text} is not a positive whole number`)
  return number
}

export function oneOf<Name extends string> (known: readonly Name[], text: string): Name {
  const found = known.find(name => name === text)
  if (found === undefined) throw new Error(`${text}: expected one of ${known.join(', ')}`)
  return found
}

/** The servers on core 0, the generators on up to three of the others; nothing is pinned where there is but one. */
export function cores (): Pick<Options, 'serverCore' | 'generatorCores'> {
  const count = availableParallelism()
  if (count === 1) return { serverCore: undefined, generatorCores: [undefined] }
  return { serverCore: 0, generatorCores: [1, 2, 3].slice(0, count - 1) }
}
