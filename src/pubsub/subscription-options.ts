/** XEP-0060 §6.3 and §16.4.2: the options of a subscription. */
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { form } from '../xmpp/forms.ts'
import { pubsubError } from './errors.ts'
import type { Values } from './node-config.ts'

const FORM_TYPE = 'http://jabber.org/protocol/pubsub#subscribe_options'

export interface SubscriptionOptions {
  /** Whether it is sent events at all. */
  readonly deliver: boolean
  /** Milliseconds since 1970 after which it ends (§12.18). */
  readonly expire?: number | undefined
}

export const DEFAULT_OPTIONS: SubscriptionOptions = { deliver: true }

export function isOver ({ expire }: SubscriptionOptions): boolean {
  return expire !== undefined && expire <= Date.now()
}

export function optionsForm ({ deliver, expire }: SubscriptionOptions, type: 'form' | 'result' = 'form'): Element {
  return form(type, FORM_TYPE, [
    {
      name: 'pubsub#deliver', type: 'boolean', values: [deliver ? '1' : '0'],
      label: 'Whether to receive event notifications',
    },
    {
      name: 'pubsub#expire', type: 'text-single', values: expire === undefined ? [] : [new Date(expire).toISOString()],
      label: 'The time at which the subscription ends',
    },
  ])
}

/** What a form says; throws invalid-options (§6.3.7.2). */
export function readOptions (values: Values, before: SubscriptionOptions): SubscriptionOptions {
  for (const name of values.keys()) {
    if (name !== 'FORM_TYPE' && name !== 'pubsub#deliver' && name !== 'pubsub#expire') {
      throw pubsubError('invalid-options', 'there is no such option')
    }
  }
  return { deliver: readFlag(values.get('pubsub#deliver')?.[0]) ?? before.deliver, expire: readTime(values, before) }
}

function readFlag (text: string | undefined): boolean | undefined {
  if (text === undefined) return
  if (['1', 'true'].includes(text)) return true
  if (['0', 'false'].includes(text)) return false
  throw pubsubError('invalid-options', 'pubsub#deliver must be true or false')
}

function readTime (values: Values, { expire }: SubscriptionOptions): number | undefined {
  const given = values.get('pubsub#expire')
  if (given === undefined) return expire
  const [text = ''] = given
  if (text === '') return undefined
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(time)) throw pubsubError('invalid-options', 'pubsub#expire must be a date and time')
  return time
}

/** §6.1.5: the options may be changed, and need not be. */
export function mayConfigure (ns: string): Element {
  return el('subscribe-options', ns)
}
