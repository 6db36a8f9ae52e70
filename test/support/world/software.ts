/** Clients' software, as entity capabilities tell of it (XEP-0115): what it announces, and what it answers. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { RemoteServer } from './remote.ts'
import type { Client, World } from './world.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
export const NODE = 'https://client.example'

export interface Software {
  readonly ver: string
  /** `<c/>`, for its presence. */
  readonly c: string
  /** The answer to disco#info. */
  readonly query: string
}

/** The software of a client that wants notifications of these nodes (XEP-0163 §4.2). */
export function software (...nodes: readonly string[]): Software {
  const features = nodes.map(node => `${node}+notify`)
  const ver = createHash('sha1').update(`client/pc//<${features.map(one => `${one}<`).join('')}`).digest('base64')
  const query = `<query xmlns='${NS_INFO}' node='${NODE}#${ver}'><identity category='client' type='pc'/>` +
    `${features.map(one => `<feature var='${one}'/>`).join('')}</query>`
  return { ver, c: announced(ver), query }
}

/** Without `hash` it is the legacy format. */
export function announced (ver: string, hash = 'sha-1'): string {
  return `<c xmlns='http://jabber.org/protocol/caps'${hash && ` hash='${hash}'`} node='${NODE}' ver='${ver}'/>`
}

/** The requests for disco#info that came since the last look. */
export async function infoRequests (asked: Client | RemoteServer): Promise<readonly string[]> {
  return (await asked.received()).filter(xml => xml.startsWith('<iq') && xml.includes(`<query xmlns='${NS_INFO}'`))
}

/** The answer to such a request; its sender is written for a client of another server. */
export function answer (request: string, query: string, from = ''): string {
  return `<iq type='result'${from && ` from='${from}'`} to='${attribute(request, 'from')}' ` +
    `id='${attribute(request, 'id')}'>${query}</iq>`
}

/** The client answers the request that it was sent; resolves when the server has dealt with it. */
export async function answersInfo ({ idle }: World, client: Client, query: string): Promise<void> {
  const [request = ''] = await infoRequests(client)
  await client.sends(answer(request, query))
  await idle()
}

export function attribute (xml: string, name: string): string {
  return new RegExp(` ${name}='([^']*)'`).exec(xml)?.[1] ?? expect.fail(`no ${name} in ${xml}`)
}
