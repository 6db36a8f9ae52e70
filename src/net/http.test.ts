import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { hostMetaRoutes } from './host-meta.ts'
import { listenHttp } from './http.ts'
import type { HttpListener, HttpOptions } from './http.ts'

const log = await openLog({ level: 'silent' })
const open: HttpListener[] = []

afterEach(() => { for (const listener of open.splice(0)) listener.close() })

async function serve (routes: HttpOptions['routes'] = {}): Promise<string> {
  const listener = await listenHttp(['127.0.0.1:0'], { key: 'listen.http', log, routes })
  open.push(listener)
  return `http://127.0.0.1:${listener.addresses[0]?.port}`
}

describe('routes', () => {
  test('a path goes to its handler, whatever the query', async () => {
    const base = await serve({ '/hello': (_request, response) => { response.end('hi') } })

    const bodies = await Promise.all(['/hello', '/hello?a=b'].map(async path => (await fetch(base + path)).text()))

    expect(bodies).toEqual(['hi', 'hi'])
  })

  test.each(['/', '/hello/', '/Hello', '/constructor', '//hello'])('%s is not /hello', async path => {
    const base = await serve({ '/hello': (_request, response) => { response.end('hi') } })

    expect((await fetch(base + path)).status).toBe(404)
  })

  test('/healthz answers that the server runs', async () => {
    const response = await fetch(`${await serve()}/healthz`)

    expect([response.status, await response.text()]).toEqual([200, 'ok\n'])
  })

  test('an upgrade that nobody takes is refused', async () => {
    const { port } = new URL(await serve())
    const socket = connect(Number(port), '127.0.0.1')
    let answer = ''
    socket.on('data', chunk => { answer += chunk.toString() })

    socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await once(socket, 'close')

    expect(answer).toMatch(/^HTTP\/1.1 404 Not Found\r\n/)
  })
})

// XEP-0156
describe('host-meta', () => {
  test('both formats name the WebSocket of the config, for pages of any origin', async () => {
    const base = await serve(hostMetaRoutes('wss://chat.example.org/ws?a=1&b=2'))

    const xml = await fetch(`${base}/.well-known/host-meta`)
    const json = await fetch(`${base}/.well-known/host-meta.json`)

    expect([xml, json].map(response => response.headers.get('access-control-allow-origin'))).toEqual(['*', '*'])
    expect(xml.headers.get('content-type')).toBe('application/xrd+xml')
    expect(await xml.text()).toContain(
      '<Link rel="urn:xmpp:alt-connections:websocket" href="wss://chat.example.org/ws?a=1&amp;b=2"/>')
    expect(await json.json()).toEqual(
      { links: [{ rel: 'urn:xmpp:alt-connections:websocket', href: 'wss://chat.example.org/ws?a=1&b=2' }] })
  })

  test('without a configured address it is the one that the client came by, always under TLS', async () => {
    const base = await serve(hostMetaRoutes(undefined))

    const answer = await get(`${base}/.well-known/host-meta.json`, 'example.org:8443')

    expect(answer.status).toBe(200)
    expect(answer.body).toContain('"href":"wss://example.org:8443/ws"')
  })

  test.each(['example.org/"><x', 'a b'])('a host "%s" is not echoed', async host => {
    const base = await serve(hostMetaRoutes(undefined))

    expect(await get(`${base}/.well-known/host-meta`, host)).toEqual({ status: 400, body: '' })
  })
})

async function get (url: string, host: string): Promise<{ status: number | undefined, body: string }> {
  const sent = request(url, { headers: { host } }).end()
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, body }
}
