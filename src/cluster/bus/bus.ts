/** What a node needs of whatever carries news between the nodes of a cluster. */
import type { Asks, Tells } from './protocol.ts'

/** One run of a node: another after it had to join anew. */
export type NodeId = string

export interface Bus {
  /** This node. */
  readonly id: NodeId
  /** In order with everything else that is told or asked of that node; lost when the node dies. */
  tell<K extends keyof Tells> (node: NodeId, kind: K, header: Tells[K], body?: Buffer): void
  /**
   * Resolves with the answer. Rejects with the StanzaError that the other node threw, with NodeGone when what was asked
   * or the answer may be lost, with remote-server-timeout (wait) when neither came for long. What is spread among many is
   * waited for until one or the other is known.
   */
  ask<K extends keyof Asks> (node: NodeId, kind: K, header: Asks[K]['header'], body?: Buffer): Promise<Asks[K]['answer']>
  /** Handlers are called in the order in which things were told and asked. */
  hear<K extends keyof Tells> (kind: K, handler: (from: NodeId, header: Tells[K], body: Buffer) => void): void
  answer<K extends keyof Asks> (
    kind: K, handler: (from: NodeId, header: Asks[K]['header'], body: Buffer) => Asks[K]['answer'] | Promise<Asks[K]['answer']>,
  ): void
  /** What was under way to or from that node is lost: it is gone, or the bus has a hole. What it was asked is rejected before. */
  whenBroken (handler: (node: NodeId) => void): void
}

/** The node that was asked is gone, or continuity with it is: nobody knows what became of it. */
export class NodeGone extends Error {}
