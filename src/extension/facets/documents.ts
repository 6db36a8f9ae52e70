/**
 * XML that accounts keep on the server, one document of each name and namespace: a vCard, private data. One extension
 * keeps a document, others may read and replace it, and hear where a client has replaced it (`document.saved`).
 */
import type { Written } from '../../xml/written.ts'
import type { Jid } from '../../xmpp/jid.ts'

export interface DocumentKeeper {
  /** Whether it keeps documents of that name. */
  keeps (name: string, ns: string): boolean
  /** The document as XML; undefined where there is none. */
  read (account: Jid, name: string, ns: string): Promise<string | undefined>
  /** Replaces the account's document. Throws StanzaError where a limit is reached. */
  save (account: Jid, document: Written): Promise<void>
}

export interface DocumentsFacet {
  keep (keeper: DocumentKeeper): void
  /** Undefined where there is none, or nobody keeps such documents. */
  read (account: Jid, name: string, ns: string): Promise<Written | undefined>
  /** Replaces it in the account's name, without the event. Throws StanzaError where a limit is reached. */
  save (account: Jid, document: Written): Promise<void>
  /** The keeper tells that a client has replaced it; resolves when all have dealt with that. */
  saved (account: Jid, document: Written): Promise<void>
}
