/** What the requests of nodes share. */
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import type { Element } from '../xml/element.ts'
import type { Written } from '../xml/written.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { formValues, NS_FORMS } from '../xmpp/forms.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Behaviours } from './behaviours.ts'
import type { Engine } from './engine.ts'
import { pubsubError } from './errors.ts'
import type { Values } from './node-config.ts'

export interface Context {
  readonly engine: Engine
  readonly behaviours: Behaviours
  readonly db: Database
  readonly log: Logger
  /** Resolves when what that account has changed is there to be read (`account.reads`). */
  readonly settled: (asker: Jid) => Promise<void>
  /** Resolves when the owner's events so far arrive whatever becomes of this node (`Homes.forwarded`, `Deliveries`). */
  readonly sent: (owner: Jid) => Promise<void>
}

/** A request to an account or the service: `<pubsub/>` with an action, and sometimes something besides. */
export interface Call {
  readonly owner: Jid
  /** Full. */
  readonly from: Jid
  readonly id: string | undefined
  /** The whole payload, for telling requests apart. */
  readonly xml: string
  readonly action: Written
  readonly besides: Written | undefined
}

export type Answer = Element | Written | void
export type Handler = (pubsub: Context, call: Call) => Promise<Answer>

/** A form is small: a tree costs many times as much. */
const MAX_TREE_BYTES = 65_536

/** An element of a request as a tree. */
export function treeOf (written: Written): Element {
  if (written.xml.length > MAX_TREE_BYTES) throw new StanzaError('policy-violation', 'the request is too large')
  return written.toElement()
}

/** The node that an element names; throws nodeid-required. */
export function nodeIn (element: Written): string {
  const { node } = element.attrs
  if (node === undefined || node === '') throw pubsubError('nodeid-required')
  return checkedName(node)
}

/** Names of nodes and ids of items are keys in the database. */
const MAX_NAME_BYTES = 1023

export function checkedName (name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  throw new StanzaError('not-acceptable', `names and ids must not be longer than ${MAX_NAME_BYTES} bytes`)
}

/** The values of the form in an element; undefined where there is none, or it was cancelled. */
export function formIn (element: Element): Values | undefined {
  const x = element.getChild('x', NS_FORMS)
  return x && x.attrs['type'] !== 'cancel' ? formValues(x) : undefined
}
