/** What an extension answers: requests to whom, from whom, and with what. */
import type { Element } from '../xml/element.ts'
import type { Written } from '../xml/written.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { OccupantView, RoomView, SessionView } from './views.ts'

/**
 * 'own-account' is the sender's own bare JID, also when the iq has no 'to'; 'account' is anyone's; 'address' is that
 * too, and where there is no account, so that the answer does not tell; 'rooms' is the service that has the rooms,
 * 'room' one of them; 'stream' is before login.
 */
export type IqTarget = 'server' | 'own-account' | 'account' | 'address' | 'rooms' | 'room' | 'stream'

export interface IqRoute<Target extends IqTarget = IqTarget> {
  readonly type: 'get' | 'set'
  readonly to: readonly Target[]
  readonly name: string
  readonly ns: string
  /** To a room: what comes next for the room waits for the answer. */
  readonly isInTurn?: true
}

/** A request as its handler sees it. */
export interface IqRequest {
  readonly type: 'get' | 'set'
  readonly from: Jid
  /** The account or host that it is for: never absent, whatever the client left out. */
  readonly to: Jid
  /** As a tree, which is built when it is asked for. */
  readonly payload: Element
  /** As it came, for who keeps it. */
  readonly written: Written
}

/** What a stream's features may depend on. */
export interface OfferedStream { readonly host: string, readonly isSecure: boolean }

/** A stream before login: whose host it is for, and where it comes from. */
export interface StreamPeer extends OfferedStream {
  readonly remoteAddress: string
}

/** Who asks a room something. */
export interface RoomVisitor {
  readonly room: RoomView
  /** Nothing where who asks is not in. */
  readonly occupant: OccupantView | undefined
  /** What is to be done once the answer is on its way. */
  readonly afterwards: (task: () => void | Promise<void>) => void
}

/** Who asks: own devices have a session here; a request to a server or to another's account may come from anywhere. */
export type IqSender<Target extends IqTarget> =
  Target extends 'own-account' ? SessionView : Target extends 'stream' ? StreamPeer :
  Target extends 'room' ? RoomVisitor : SessionView | undefined

/**
 * What it returns is the payload of the result: what is kept as XML as it is kept, and not by way of a tree. A
 * StanzaError it throws is the error.
 */
export type IqHandler<Target extends IqTarget = IqTarget> =
  (request: IqRequest, sender: IqSender<Target>) => Answer | void | Promise<Answer | void>

type Answer = Element | Written

export type NonzaHandler = (element: Element, session: SessionView) => void | Promise<void>

/** What came of a request to go on with a session: the answer, and what is to be done once the client has it. */
export interface Resumption {
  readonly reply: Element
  readonly session?: SessionView
  readonly resumed?: () => void
}

/** XEP-0050: something that the owner of an account can have done, after one form. */
export interface Command {
  readonly node: string
  /** What it does, for people. */
  readonly name: string
  readonly form: Element
  /** What it returns says, for people, what came of it. */
  run (values: ReadonlyMap<string, readonly string[]>, session: SessionView): Promise<string>
}

/** XEP-0050: something that somebody can have done at a room, after one form, or be told at once. */
export type RoomCommand = RoomDeed | RoomReport

interface NamedCommand {
  readonly node: string
  /** What it does, for people. */
  readonly name: string
}

interface RoomDeed extends NamedCommand {
  /** Throws the StanzaError for who may not have it done. */
  form (visitor: RoomVisitor, from: Jid): Element
  /** What it returns says, for people, what came of it. */
  run (values: ReadonlyMap<string, readonly string[]>, visitor: RoomVisitor, from: Jid): Promise<string>
}

interface RoomReport extends NamedCommand {
  /** A form with what there is to tell; throws the StanzaError for who may not know. */
  report (visitor: RoomVisitor, from: Jid): Element
}
