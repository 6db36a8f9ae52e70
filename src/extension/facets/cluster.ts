/** The other nodes of the cluster. */
import type { Jid } from '../../xmpp/jid.ts'
import type { Fields, ReplicatedState } from '../points.ts'
import type { AccountView } from '../views.ts'

export interface ClusterFacet {
  /** All other members. */
  readonly nodes: readonly string[]
  /**
   * Sends a request to the same extension on another node. Requests to one node arrive in order. Rejects when it is
   * unknown whether the request arrived.
   */
  ask (node: string, request: Fields, body?: Buffer): Promise<string>
  /** Answers requests of the same extension on other nodes. */
  answer<Request extends Fields>(
    handler: (from: string, request: Request, body: Buffer) => string | Promise<string>,
  ): void
  /** The node that owns an account or a room; undefined where it is this one, or none. */
  homeOf (jid: Jid): Promise<string | undefined>
  /** The node where a service of which there is one stands (rendezvous hashing); undefined where it is this one. */
  placeOf (service: Jid): string | undefined
  /** Undefined while this node's lease is valid; otherwise resolves once it is renewed or lost. */
  confirmLease (): Promise<void> | undefined
  /**
   * Whether this node still owns the account or room, checked in Redis after another node seems to have acted as its
   * owner. If not, it is discarded from memory here.
   */
  verifyHome (jid: Jid): Promise<boolean>
  /** Replicates an extension's state of sessions. The returned function appends a note to an account's journal. */
  replicate<State, F extends Fields>(
    state: ReplicatedState<State, F>,
  ): (account: AccountView, fields: F, body?: Buffer) => void
}
