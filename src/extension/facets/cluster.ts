/** The other nodes, where this is one of many. */
import type { Jid } from '../../xmpp/jid.ts'
import type { ReplicatedState } from '../points.ts'
import type { AccountView } from '../views.ts'

export interface ClusterFacet {
  /** All others that live. */
  readonly nodes: readonly string[]
  /**
   * Asks the same extension on another node. What is asked of one node arrives in order. Rejects when nobody can know
   * whether it did.
   */
  ask (node: string, text: string, body?: Buffer): Promise<string>
  /** Answers what the same extension asks on other nodes. */
  answer (handler: (from: string, text: string, body: Buffer) => string | Promise<string>): void
  /** The other node that is home to an account or a room; nothing where none is, or this one. */
  homeOf (jid: Jid): Promise<string | undefined>
  /** Nothing while no other node can think that it is home to the accounts of this one; or else when that is known. */
  confirmLease (): Promise<void> | undefined
  /**
   * Whether the account or room is at home here, after something was seen that only its home may do; if not it is gone
   * from here.
   */
  verifyHome (jid: Jid): Promise<boolean>
  /** Lets what an extension knows of sessions outlive its node. What it returns notes what happened since all was saved. */
  replicate (state: ReplicatedState): (account: AccountView, about: string, body?: Buffer) => void
}
