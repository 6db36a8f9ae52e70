/** What the tests use of @xmpp/client, which comes without types. */
declare module '@xmpp/client' {
  import type { Element } from '@xmpp/xml'

  export { default as xml } from '@xmpp/xml'

  export interface Client {
    readonly iqCaller: {
      get (child: Element, to?: string): Promise<Element | undefined>
      set (child: Element, to?: string): Promise<Element | undefined>
    }
    readonly streamManagement: { inbound: number }
    readonly reconnect: { stop (): void }
    write: (text: string) => Promise<void>
    start (): Promise<{ toString (): string }>
    stop (): Promise<unknown>
    send (stanza: Element): Promise<void>
    on (event: 'stanza' | 'open', listener: (element: Element) => void): void
    on (event: 'error', listener: (error: Error) => void): void
  }

  export function client (options: {
    readonly service: string
    readonly domain: string
    readonly username: string
    readonly password: string
    readonly resource?: string
  }): Client
}
