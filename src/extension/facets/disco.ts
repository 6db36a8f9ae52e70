/** Features in answers of service discovery (XEP-0030: Service Discovery). */
import type { Element } from '../../xml/element.ts'
import type { Field } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'

/** The kinds of entities that answer service discovery. */
export type DiscoTarget = 'server' | 'account' | 'rooms' | 'room' | 'pubsub'

export interface DiscoFacet {
  /** Adds a feature, by default of the server. */
  feature (ns: string, of?: DiscoTarget): void
  /** Adds a feature to the accounts of some hosts only. */
  accountFeature (ns: string, hosts: readonly string[]): void
  /** Adds extended information (XEP-0128): a form in the answers to disco#info. */
  info (form: Element, of?: DiscoTarget): void
  /** Adds fields to the form about each host that the server's answers have (XEP-0157). */
  serverFields (fields: (host: string) => readonly Field[]): void
  /** The features of another server, asked for in the name of a host; undefined where it does not answer. */
  featuresOf (server: Jid, host: Jid): Promise<ReadonlySet<string> | undefined>
}
