/** The interface of the bus between the nodes of a cluster. */
import type { Asks, Tells } from './protocol.ts'

/** One incarnation of a node: it gets another id when it has to rejoin. */
export type NodeId = string

/** The work of a request in steps, with the answer at its end. Later packets wait until all are done. */
export type Steps<Answer> = Generator<void, Answer | Promise<Answer>>

export interface Bus {
  /** This node. */
  readonly id: NodeId
  /** Delivered in the order of all packets and requests to that node; lost when the node dies. */
  tell<K extends keyof Tells>(node: NodeId, kind: K, header: Tells[K], body?: Buffer): void
  /**
   * Resolves with the answer. Rejects with the StanzaError that the other node threw, with NodeGone when request or
   * answer may be lost, with remote-server-timeout (wait) when neither came in time. A multicast has no timeout: it
   * settles when the answer arrives or the node is gone.
   */
  ask<K extends keyof Asks>(node: NodeId, kind: K, header: Asks[K]['header'], body?: Buffer): Promise<Asks[K]['answer']>
  /**
   * Resolves when what was told and asked so far arrives whatever becomes of this node: Redis has it. Where Redis can't
   * be reached, it resolves all the same.
   */
  persisted (): Promise<void>
  /**
   * Handlers are called in the order in which packets and requests were sent. One that answers in steps takes as many
   * turns of the event loop as it needs.
   */
  hear<K extends keyof Tells>(kind: K, handler: (from: NodeId, header: Tells[K], body: Buffer) => void): void
  answer<K extends keyof Asks>(
    kind: K,
    handler: (from: NodeId, header: Asks[K]['header'], body: Buffer) =>
      Asks[K]['answer'] | Promise<Asks[K]['answer']> | Steps<Asks[K]['answer']>,
  ): void
  /**
   * The node is gone, or its packets have a gap: everything in flight to or from it is lost. Pending requests to it are
   * rejected before.
   */
  whenBroken (handler: (node: NodeId) => void): void
}

/** The node that was asked is gone, or packets were lost: whether it handled the request is unknown. */
export class NodeGone extends Error {}
