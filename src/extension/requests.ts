/** Requests that an extension answers: iqs, nonzas, resumptions and ad-hoc commands. */
import type { Element } from '../xml/element.ts'
import type { Written } from '../xml/written.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { OccupantView, RoomView, SessionView } from './views.ts'

/**
 * 'own-account' is the sender's own bare JID, also when the iq has no 'to'; 'account' is anyone's; 'address' is any
 * bare JID of a served host, so that the answer doesn't tell whether there is an account; 'rooms' is the room service,
 * 'room' one of its rooms; 'pubsub' is the service of nodes; 'stream' is a stream before login.
 */
export type IqTarget = 'server' | 'own-account' | 'account' | 'address' | 'rooms' | 'room' | 'pubsub' | 'stream'

export interface IqRoute<Target extends IqTarget = IqTarget> {
  readonly type: 'get' | 'set'
  readonly to: readonly Target[]
  readonly name: string
  readonly ns: string
  /** For a room: the room takes its next stanza only after the answer. */
  readonly isInTurn?: true
}

/** An iq request, as its handler gets it. */
export interface IqRequest {
  readonly type: 'get' | 'set'
  readonly id: string | undefined
  readonly from: Jid
  /** The account or host addressed, also when the iq has no 'to'. */
  readonly to: Jid
  /** The payload as a tree, built at the first access. */
  readonly payload: Element
  /** The payload as it was received, for storing. */
  readonly written: Written
}

/** The properties of a stream that its features may depend on. */
export interface OfferedStream { readonly host: string, readonly isSecure: boolean }

/** A stream before login. */
export interface StreamPeer extends OfferedStream {
  readonly remoteAddress: string
}

/** The sender of a request to a room. */
export interface RoomVisitor {
  readonly room: RoomView
  /** Undefined where the sender is not an occupant. */
  readonly occupant: OccupantView | undefined
  /** Adds a task that runs after the answer was sent. */
  readonly afterwards: (task: () => void | Promise<void>) => void
}

/** The sender of a request. Undefined for one that is no session of this node: another account's or node's. */
export type IqSender<Target extends IqTarget> =
  Target extends 'own-account' ? SessionView : Target extends 'stream' ? StreamPeer :
  Target extends 'room' ? RoomVisitor : SessionView | undefined

/** Returns the payload of the result, as a tree or as stored XML. A StanzaError it throws is the error answer. */
export type IqHandler<Target extends IqTarget = IqTarget> =
  (request: IqRequest, sender: IqSender<Target>) => Answer | void | Promise<Answer | void>

type Answer = Element | Written

export type NonzaHandler = (element: Element, session: SessionView) => void | Promise<void>

/** The outcome of a resumption: the answer, and `resumed`, which is called after the answer was written. */
export interface Resumption {
  readonly reply: Element
  readonly session?: SessionView
  readonly resumed?: () => void
}

/** An ad-hoc command (XEP-0050) with one form, for the owner of an account. */
export interface Command {
  readonly node: string
  /** The command's name as clients show it. */
  readonly name: string
  readonly form: Element
  /** Executes it; returns the note that clients show. */
  run (values: ReadonlyMap<string, readonly string[]>, session: SessionView): Promise<string>
}

/** An ad-hoc command (XEP-0050) of a room: with one form to fill in, or with a result at once. */
export type RoomCommand = RoomDeed | RoomReport

interface NamedCommand {
  readonly node: string
  /** The command's name as clients show it. */
  readonly name: string
}

interface RoomDeed extends NamedCommand {
  /** Throws the StanzaError for a visitor who may not use the command. */
  form (visitor: RoomVisitor, from: Jid): Element
  /** Executes it; returns the note that clients show. */
  run (values: ReadonlyMap<string, readonly string[]>, visitor: RoomVisitor, from: Jid): Promise<string>
}

interface RoomReport extends NamedCommand {
  /** The result as a form; throws the StanzaError for a visitor who may not see it. */
  report (visitor: RoomVisitor, from: Jid): Element
}
