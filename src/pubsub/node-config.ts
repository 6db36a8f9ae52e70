/** The configuration of a node (XEP-0060 §16.4.4): its options, their values in forms, and their defaults. */
import { StanzaError } from '../xmpp/errors.ts'
import type { Choice, Field } from '../xmpp/forms.ts'
import { unsupported } from './errors.ts'

export type Values = ReadonlyMap<string, readonly string[]>

/** As many as the limits of the server allow. */
export const MAX = 'max'
/** Years: an item that expires later does not expire. */
const LONGEST_EXPIRY = 2 ** 31 - 1
const MAX_TEXT = 1024
const MAX_GROUPS = 100
const MAX_CONTACTS = 100

/** An option: how it is written in a form and read from one. */
interface Option<T> {
  readonly type: NonNullable<Field['type']>
  readonly label: string
  readonly initial: T
  readonly choices?: readonly Choice[]
  /** Undefined where the values are none of the option's. */
  readonly read: (values: readonly string[]) => T | undefined
  readonly write: (value: T) => readonly string[]
}

function flag (label: string, initial: boolean): Option<boolean> {
  return {
    label, initial, type: 'boolean',
    read: ([text = '']) => ['1', 'true'].includes(text) || (['0', 'false'].includes(text) ? false : undefined),
    write: value => [value ? '1' : '0'],
  }
}

function text (label: string): Option<string> {
  return {
    label, initial: '', type: 'text-single',
    read: ([value = '']) => value.length <= MAX_TEXT ? value : undefined,
    write: value => value === '' ? [] : [value],
  }
}

function choice<const T extends string> (
  label: string, initial: NoInfer<T>, labels: Readonly<Record<T, string>>,
): Option<T> {
  const choices = Object.entries<string>(labels).map(([value, label]) => ({ value: value as T, label }))
  return {
    label, initial, choices, type: 'list-single',
    read: ([given]) => choices.find(({ value }) => value === given)?.value,
    write: value => [value],
  }
}

/** A number, or `max`. */
function amount (label: string, initial: number | typeof MAX, least: number): Option<number | typeof MAX> {
  return {
    label, initial, type: 'text-single',
    read ([value = '']) {
      if (value === MAX) return MAX
      const number = /^\d{1,10}$/.test(value) ? Number(value) : NaN
      return number >= least ? Math.min(number, LONGEST_EXPIRY) : undefined
    },
    write: value => [String(value)],
  }
}

function texts (label: string, type: 'list-multi' | 'jid-multi', most: number): Option<readonly string[]> {
  return {
    label, type, initial: [],
    read: values => values.length <= most && values.every(({ length }) => length <= MAX_TEXT) ? values : undefined,
    write: values => values,
  }
}

const ACCESS_MODELS = {
  open: 'Anyone may subscribe and retrieve items',
  presence: 'Anyone with a presence subscription of both or from may subscribe and retrieve items',
  roster: 'Anyone in the specified roster groups may subscribe and retrieve items',
  authorize: 'Subscription requests must be approved and only subscribers may retrieve items',
  whitelist: 'Only those on a whitelist may subscribe and retrieve items',
}

const OPTIONS = {
  title: text('A friendly name for the node'),
  description: text('A description of the node'),
  type: text('The type of node data, usually specified by the namespace of the payload'),
  language: text('The default language of the node'),
  contact: texts('The JIDs of those to contact with questions', 'jid-multi', MAX_CONTACTS),
  access_model: choice('Who may subscribe and retrieve items', 'open', ACCESS_MODELS),
  roster_groups_allowed: texts(
    'The roster groups allowed to subscribe and retrieve items',
    'list-multi',
    MAX_GROUPS,
  ),
  publish_model: choice('Who may publish items', 'publishers', {
    publishers: 'Only publishers may publish',
    subscribers: 'Subscribers may publish',
    open: 'Anyone may publish',
  }),
  persist_items: flag('Whether to persist items to storage', true),
  max_items: amount('The maximum number of items to persist, or max', MAX, 1),
  item_expire: amount('Number of seconds after which to automatically purge items, or max', MAX, 1),
  max_payload_size: amount('The maximum payload size in bytes, or max', MAX, 1),
  publish_node_full: choice('What happens when an item is published to a full node', 'retract-oldest', {
    'retract-oldest': 'The oldest item is retracted',
    'discard-oldest': 'The oldest item is discarded, and nobody is told',
    'reject': 'The new item is rejected',
  }),
  subscribe: flag('Whether to allow subscriptions', true),
  deliver_notifications: flag('Whether to deliver event notifications', true),
  deliver_payloads: flag('Whether to deliver payloads with event notifications', true),
  notification_type: choice('The type of notifications', 'headline', {
    normal: 'Messages of type normal',
    headline: 'Messages of type headline',
  }),
  send_last_published_item: choice('When to send the last published item', 'on_sub', {
    never: 'Never',
    on_sub: 'When a new subscription is processed',
    on_sub_and_presence: 'When a new subscription is processed and whenever a subscriber comes online',
  }),
  notify_config: flag('Whether to notify subscribers when the node configuration changes', false),
  notify_delete: flag('Whether to notify subscribers when the node is deleted', true),
  notify_retract: flag('Whether to notify subscribers when items are removed from the node', true),
  notify_sub: flag('Whether to notify owners about new subscribers and unsubscribes', false),
  itemreply: choice('Whether owners or publisher should receive replies to items', 'none', {
    none: 'Nobody',
    owner: 'The node owners',
    publisher: 'The publisher of the item',
  }),
}

type ValueOf<O> = O extends Option<infer T> ? T : never

/** The values of all options, by the name of the field without `pubsub#`. */
export type NodeConfig = { readonly [Name in keyof typeof OPTIONS]: ValueOf<typeof OPTIONS[Name]> }

export type AccessModel = NodeConfig['access_model']

const ALL = Object.entries(OPTIONS) as unknown as readonly (readonly [keyof NodeConfig, Option<unknown>])[]

/** The defaults at a service. */
export const SERVICE_DEFAULTS = Object.fromEntries(ALL.map(([name, { initial }]) => [name, initial])) as NodeConfig

/** XEP-0163 §5: the defaults at an account. Each node has one item, which takes the place of the one before. */
export const ACCOUNT_DEFAULTS: NodeConfig = {
  ...SERVICE_DEFAULTS,
  access_model: 'presence',
  max_items: 1,
  publish_node_full: 'discard-oldest',
  send_last_published_item: 'on_sub_and_presence',
}

const PREFIX = 'pubsub#'

/** The fields of a form, filled in. */
export function fieldsOf (config: NodeConfig): readonly Field[] {
  return ALL.map(([name, { type, label, choices, write }]) =>
    ({ name: PREFIX + name, type, label, choices, values: write(config[name]) }))
}

/**
 * The configuration of a form that was filled in: what it does not say is as `before`; fields that are no options are
 * skipped. Throws StanzaError not-acceptable.
 */
export function changedBy (values: Values, before: NodeConfig): NodeConfig {
  const type = values.get('pubsub#node_type')?.[0]
  if (type !== undefined && type !== 'leaf') throw unsupported('collections')
  const changed: Record<string, unknown> = { ...before }
  for (const [name, { read }] of ALL) {
    const given = values.get(PREFIX + name)
    if (given === undefined) continue
    const value = read(given)
    if (value === undefined) throw refusalOf(name)
    changed[name] = value
  }
  return changed as NodeConfig
}

/** §8.1.2: an access model that there is not has an error of its own. */
function refusalOf (name: keyof NodeConfig): StanzaError {
  const detail = name === 'access_model'
    ? { name: 'unsupported-access-model', ns: 'http://jabber.org/protocol/pubsub#errors' } : undefined
  return new StanzaError('not-acceptable', `${PREFIX}${name} has a value that is not allowed`, detail)
}

/** Whether the node is as all fields of the form demand (§7.1.5); false also where one is no option. */
export function isAs (values: Values, config: NodeConfig): boolean {
  for (const [field, given] of values) {
    if (field === 'FORM_TYPE') continue
    const name = field.startsWith(PREFIX) ? field.slice(PREFIX.length) : ''
    if (!isOption(name)) return false
    const { read, write } = OPTIONS[name] as Option<unknown>
    const wanted = read(given)
    if (wanted === undefined || !isSame(write(wanted), write(config[name]))) return false
  }
  return true
}

function isOption (name: string): name is keyof NodeConfig {
  return Object.hasOwn(OPTIONS, name)
}

function isSame (one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every(value => other.includes(value))
}

/** All values, for storing: a node stays as it was when the defaults change. */
export function storedConfig (config: NodeConfig): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(ALL.map(([name, { write }]) => [name, write(config[name])]))
}

/** A stored configuration; an option that is newer than it, or a value that is valid no more, is as in the defaults. */
export function restoredConfig (
  stored: Readonly<Record<string, readonly string[]>>, defaults: NodeConfig,
): NodeConfig {
  const config: Record<string, unknown> = { ...defaults }
  for (const [name, { read, initial }] of ALL) {
    const kept = stored[name]
    if (kept) config[name] = kept.length === 0 && initial === '' ? '' : read(kept) ?? defaults[name]
  }
  return config as NodeConfig
}
