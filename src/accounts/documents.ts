/** XML that accounts keep on the server, and the extensions that keep it. */
import type { DocumentKeeper } from '../extension/facets/documents.ts'
import { addTo } from '../util/add-to.ts'
import { Written } from '../xml/written.ts'
import type { Jid } from '../xmpp/jid.ts'

export class Documents {
  readonly #keepers: DocumentKeeper[] = []

  /** What is returned takes the keeper away again. */
  add (keeper: DocumentKeeper): () => void {
    return addTo(this.#keepers, keeper)
  }

  /** As `DocumentsFacet`. */
  async read (account: Jid, name: string, ns: string): Promise<Written | undefined> {
    const xml = await this.#keeperOf(name, ns)?.read(account, name, ns)
    return xml === undefined ? undefined : Written.kept(name, ns, xml)
  }

  /** As `DocumentsFacet`. */
  async save (account: Jid, document: Written): Promise<void> {
    await this.#keeperOf(document.name, document.ns)?.save(account, document)
  }

  #keeperOf (name: string, ns: string): DocumentKeeper | undefined {
    return this.#keepers.find(keeper => keeper.keeps(name, ns))
  }
}
