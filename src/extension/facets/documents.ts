/**
 * XML that accounts keep on the server, one document of each name and namespace: a vCard, private data. One extension
 * keeps a document, others may read and change it, and hear of changes (`document.saved`).
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
  /**
   * Replaces a document by what `change` makes of it, one change after the other; undefined leaves it as it is.
   * Resolves with the new one. Throws StanzaError where a limit is reached.
   */
  change (
    account: Jid, name: string, ns: string, change: (before: Written | undefined) => Written | undefined,
  ): Promise<Written | undefined>
  /** Tells the other extensions (`document.saved`); resolves when all have dealt with that. */
  saved (account: Jid, document: Written): Promise<void>
}
