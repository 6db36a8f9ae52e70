/** A cluster of ours in a federation. */
import { rmSync } from 'node:fs'
import { inject, onTestFinished } from 'vitest'
import { freePort } from '../../conformance/peers/free-port.ts'
import { placeOf } from '../../src/cluster/membership/rendezvous.ts'
import { Nodes } from '../faults/nodes.ts'
import type { Node } from '../faults/nodes.ts'
import type { Federation } from './federation.ts'
import { HELIOGRAPH } from './heliograph.ts'
import type { FederationKeys } from './heliograph.ts'
import { makePlace } from './server.ts'

export interface Cluster extends AsyncDisposable {
  /** The node where a key stands (rendezvous hashing), such as `pubsub.HOST`. */
  place (key: string): Promise<Node>
  /** The node that sends what is for the domain. */
  owner (domain: string): Promise<Node>
  /** Another one. */
  other (node: Node): Node
  /** Lets other servers connect to this node. */
  listenAt (node: Node): void
}

/** Three nodes that are the server of our domain, with other keys of the configuration. */
export async function clusterIn ({ neighbourhood }: Federation, others: FederationKeys = {}): Promise<Cluster> {
  const { dns } = neighbourhood
  const { files, folder } = await makePlace(neighbourhood, HELIOGRAPH, undefined)
  onTestFinished(() => { rmSync(folder, { recursive: true }) })
  const ports = new Map([['a', await freePort()], ['b', await freePort()], ['c', await freePort()]])
  const cluster = await Nodes.start(inject('postgresUrl'), name => ({
    hosts: [HELIOGRAPH], tls: { certificate: files.certificate, key: files.key },
    listen: { server: `127.0.0.1:${ports.get(name)}` },
    federation: { authorities: files.authority, resolver: `${dns.host}:${dns.port}` },
    ...others,
  }))
  const { nodes } = cluster
  const place = async (key: string): Promise<Node> => {
    const id = placeOf(key, await nodes[0].status()) ?? ''
    return nodes.find(({ name }) => id.startsWith(name)) ?? nodes[0]
  }
  return {
    place,
    owner: domain => place(`s2s:${domain}`),
    other: node => nodes[0] === node ? nodes[1] : nodes[0],
    listenAt ({ name }) {
      dns.names.set(`_xmpp-server._tcp.${HELIOGRAPH}`, { srv: [{ port: ports.get(name) ?? 0, target: 'localhost' }] })
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}
