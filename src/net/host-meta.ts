/** XEP-0156: Discovering Alternative XMPP Connection Methods: the WebSocket's URL for web clients. */
import type { IncomingMessage } from 'node:http'
import type { HttpHandler } from './http.ts'

const XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0'
const REL_WEBSOCKET = 'urn:xmpp:alt-connections:websocket'

/** The two routes; without a public URL of the WebSocket it is that of the request's host. */
export function hostMetaRoutes (webSocketUrl: string | undefined): Readonly<Record<string, HttpHandler>> {
  return {
    '/.well-known/host-meta': answerWith('application/xrd+xml', webSocketUrl, describeInXml),
    '/.well-known/host-meta.json': answerWith('application/json', webSocketUrl, describeInJson),
  }
}

function answerWith (type: string, webSocketUrl: string | undefined, describe: (url: string) => string): HttpHandler {
  return (request, response) => {
    const url = webSocketUrl ?? urlByHost(request)
    if (url === undefined) {
      response.writeHead(400).end()
      return
    }
    // XEP-0156 §3: pages of any origin may read this, and this only.
    response.writeHead(200, { 'content-type': type, 'access-control-allow-origin': '*' }).end(describe(url))
  }
}

// XEP-0156 §2.2: only wss. The header is the client's: only a valid host is echoed.
function urlByHost (request: IncomingMessage): string | undefined {
  const host = request.headers.host ?? ''
  return /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?$/.test(host) ? `wss://${host}/ws` : undefined
}

function describeInXml (url: string): string {
  const href = url.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
  return `<?xml version="1.0" encoding="utf-8"?>\n<XRD xmlns="${XRD}">\n` +
    `  <Link rel="${REL_WEBSOCKET}" href="${href}"/>\n</XRD>\n`
}

function describeInJson (url: string): string {
  return JSON.stringify({ links: [{ rel: REL_WEBSOCKET, href: url }] })
}
