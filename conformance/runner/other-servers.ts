/**
 * The servers of other domains, as scripts play them: their streams to the server under test, and one listener for all
 * of them, which its streams reach. That says of a dialback key (XEP-0220) that it is valid when it is `right`, for the
 * id of a stream that the domain has opened.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { DnsServer } from '../../test/support/dns/dns-server.ts'
import type { Endpoint } from './client.ts'
import { Stream } from './stream.ts'
import { formatXml, type XmlElement } from './xml.ts'

const NS_SERVER = 'jabber:server'
const NS_DIALBACK = 'jabber:server:dialback'
const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const NS_PING = 'urn:xmpp:ping'
const RIGHT_KEY = 'right'
const HOST = 'localhost'
/** As long as the server under test likes to stay. */
const LISTENER_PATIENCE_MS = 3_600_000
/** Servers look others up, and ask them for keys. */
const PATIENCE_MS = 15_000

/** In PEM. */
export interface KeyPair { readonly key: string, readonly cert: string }

/** A key that the server under test has shown, and the id of the stream that it is for. */
export interface ShownKey { readonly key: string, readonly id: string }

interface Domain {
  readonly streamIds: Set<string>
  readonly shown: PromiseWithResolvers<ShownKey>
  server: OtherServer | undefined
}

export class OtherServers implements AsyncDisposable {
  readonly dns: DnsServer
  readonly #pair: KeyPair
  readonly #domains = new Map<string, Domain>()
  readonly #sockets = new Set<Socket>()
  readonly #listener = createServer(socket => { this.#accept(socket) })
  #streams = 0

  private constructor (dns: DnsServer, pair: KeyPair) {
    this.dns = dns
    this.#pair = pair
  }

  static async start (pair: KeyPair): Promise<OtherServers> {
    const servers = new OtherServers(await DnsServer.start({ [HOST]: { a: ['127.0.0.1'] } }), pair)
    await once(servers.#listener.listen(0, '127.0.0.1'), 'listening')
    return servers
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.dns[Symbol.asyncDispose]()
  }

  /** The domain exists from now on. */
  add (domain: string): void {
    const { port } = this.#listener.address() as AddressInfo
    this.dns.names.set(`_xmpp-server._tcp.${domain}`, { srv: [{ port, target: HOST }] })
    this.#domains.set(domain, { streamIds: new Set(), shown: Promise.withResolvers(), server: undefined })
  }

  /** A stream of the domain's: STARTTLS is done, unless it is to be plain, and nothing is said on it then. */
  async connect (domain: string, { serverPort }: Endpoint, isPlain: boolean): Promise<OtherServer> {
    const known = this.#domains.get(domain)
    if (!known || serverPort === undefined) throw new Error(`nobody speaks for ${domain}, or nobody listens`)
    const { server } = known
    server?.destroy()
    const stream = new Stream(connect(serverPort, '127.0.0.1'), PATIENCE_MS)
    return known.server = await OtherServer.open(stream, domain, isPlain, known)
  }

  #accept (socket: Socket): void {
    this.#sockets.add(socket.on('close', () => { this.#sockets.delete(socket) }))
    const stream = new Stream(socket, LISTENER_PATIENCE_MS)
    const id = `elsewhere-${++this.#streams}`
    let isSecure = false
    stream.onHeader = () => {
      const { from, to } = addressesOf(stream.header)
      const features = isSecure ? "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
        : `<starttls xmlns='${NS_TLS}'><required/></starttls>`
      stream.send(`${headerOf(to, from, `id='${id}' `)}<stream:features>${features}</stream:features>`)
    }
    const secure = (): void => {
      isSecure = true
      stream.send(`<proceed xmlns='${NS_TLS}'/>`)
      stream.startTls(plain => new TLSSocket(plain, { isServer: true, ...this.#pair }))
    }
    this.#serve(stream, id, secure).catch(() => {}) // the stream is over
  }

  async #serve (stream: Stream, id: string, secure: () => void): Promise<void> {
    for (;;) {
      const element = await stream.receive()
      if (element.ns === NS_TLS) secure()
      else if (element.ns === NS_DIALBACK) this.#takeDialback(element, stream, id)
      else if (element.ns === NS_SERVER) this.#deliver(element)
    }
  }

  #takeDialback ({ name, attributes, text }: XmlElement, stream: Stream, id: string): void {
    const [from = '', to = '', about = ''] = ['from', 'to', 'id'].map(key => attributes.get(key))
    const domain = this.#domains.get(to)
    const isValid = name === 'result' || (text.trim() === RIGHT_KEY && domain?.streamIds.has(about) === true)
    if (name === 'result') domain?.shown.resolve({ key: text.trim(), id })
    stream.send(`<db:${name} from='${to}' to='${from}'${about && ` id='${about}'`} type='${isValid ? 'valid' : 'invalid'}'/>`)
  }

  /** What asks only whether the stream is alive is none of a script's business. */
  #deliver (stanza: XmlElement): void {
    if (stanza.children.some(({ ns }) => ns === NS_PING)) return
    const { to } = addressesOf(stanza)
    this.#domains.get(to.replace(/^[^/]*@|\/.*$/g, ''))?.server?.take(stanza)
  }
}

export class OtherServer {
  readonly #stream: Stream
  readonly #domain: string
  readonly #known: Domain

  private constructor (stream: Stream, domain: string, known: Domain) {
    this.#stream = stream
    this.#domain = domain
    this.#known = known
  }

  static async open (stream: Stream, domain: string, isPlain: boolean, known: Domain): Promise<OtherServer> {
    const server = new OtherServer(stream, domain, known)
    stream.onHeader = () => { known.streamIds.add(server.streamId) }
    if (isPlain) return server
    await server.begin()
    stream.send(`<starttls xmlns='${NS_TLS}'/>`)
    await stream.expect('proceed')
    stream.startTls(socket => connectTls({ socket, servername: HOST, rejectUnauthorized: false }))
    return server
  }

  /** The id of the stream, as the server under test gave it last. */
  get streamId (): string {
    return this.#stream.header?.attributes.get('id') ?? ''
  }

  /** Sends its header, and waits for the features. */
  async begin (): Promise<void> {
    this.send(headerOf(this.#domain, HOST))
    await this.#stream.expect('features')
  }

  /** The same, and proves its domain by dialback. */
  async prove (): Promise<void> {
    await this.begin()
    this.send(`<db:result from='${this.#domain}' to='${HOST}'>${RIGHT_KEY}</db:result>`)
    const result = await this.#stream.expect('result')
    if (result.attributes.get('type') !== 'valid') throw new Error(`it is not believed: ${formatXml(result)}`)
  }

  /** The first key that the server under test has shown the domain. */
  learn (): Promise<ShownKey> {
    return this.#known.shown.promise
  }

  take (stanza: XmlElement): void {
    this.#stream.add(stanza)
  }

  send (xml: string): void {
    this.#stream.send(xml)
  }

  /** The next element on its stream, or for it on those of the server under test; stanzas in the clients' namespace. */
  async receive (): Promise<XmlElement> {
    return asClients(await this.#stream.receive())
  }

  disconnect (): Promise<void> {
    return this.#stream.close()
  }

  destroy (): void {
    this.#stream.destroy()
  }
}

function headerOf (from: string, to: string, more = ''): string {
  return `<?xml version='1.0'?><stream:stream xmlns='${NS_SERVER}' xmlns:db='${NS_DIALBACK}' from='${from}' to='${to}' ` +
    `${more}version='1.0' xmlns:stream='http://etherx.jabber.org/streams'>`
}

function addressesOf (element: XmlElement | undefined): { readonly from: string, readonly to: string } {
  return { from: element?.attributes.get('from') ?? '', to: element?.attributes.get('to') ?? '' }
}

function asClients (element: XmlElement): XmlElement {
  const ns = element.ns === NS_SERVER ? 'jabber:client' : element.ns
  return { ...element, ns, children: element.children.map(asClients) }
}
