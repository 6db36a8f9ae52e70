/**
 * The owner of a key that no node owns yet, by rendezvous hashing: every node computes the same without asking, and a
 * change of members moves only the share of the node that came or went.
 */
import type { NodeId } from '../bus/bus.ts'

/** The node of these that should own the key. */
export function placeOf (key: string, nodes: readonly NodeId[]): NodeId | undefined {
  const keyHash = hash(key)
  let best: NodeId | undefined
  let most = -1
  for (const node of nodes) {
    const weight = mix(keyHash ^ hashOfNode(node))
    // Equal weights are rare, and must not depend on the order in which the nodes are given.
    if (weight > most || (weight === most && best !== undefined && node > best)) [best, most] = [node, weight]
  }
  return best
}

const nodeHashes = new Map<NodeId, number>()

function hashOfNode (node: NodeId): number {
  let known = nodeHashes.get(node)
  if (known === undefined) nodeHashes.set(node, known = mix(hash(node)))
  return known
}

/** FNV-1a over UTF-16 units. */
function hash (text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value
}

/** MurmurHash3's finalizer: every bit of what goes in moves every bit of what comes out. */
function mix (value: number): number {
  value = Math.imul(value ^ value >>> 16, 0x85ebca6b)
  value = Math.imul(value ^ value >>> 13, 0xc2b2ae35)
  return (value ^ value >>> 16) >>> 0
}
