/** What the server says it can do (XEP-0030: Service Discovery). */
import type { Element } from '../../xml/element.ts'

/** What service discovery tells of. */
export type DiscoTarget = 'server' | 'account' | 'rooms' | 'room'

export interface DiscoFacet {
  /** Of the server, where nothing else is said. */
  feature (ns: string, of?: DiscoTarget): void
  /** A feature of the accounts of some hosts only. */
  accountFeature (ns: string, hosts: readonly string[]): void
  /** Extended information (XEP-0128): a form in the answers to disco#info. */
  info (form: Element, of?: DiscoTarget): void
}
