/** XML that accounts keep on the server, and the extensions that keep it. */
import type { DocumentKeeper } from '../extension/facets/documents.ts'
import { addTo } from '../util/add-to.ts'
import { Turns } from '../util/turns.ts'
import { Written } from '../xml/written.ts'
import type { Jid } from '../xmpp/jid.ts'

export class Documents {
  readonly #keepers: DocumentKeeper[] = []
  readonly #turns = new Turns()

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
  async change (
    account: Jid, name: string, ns: string, change: (before: Written | undefined) => Written | undefined,
  ): Promise<Written | undefined> {
    let document: Written | undefined
    await this.#turns.inTurn(`${account} ${name} ${ns}`, async () => {
      document = change(await this.read(account, name, ns))
      if (document) await this.#keeperOf(name, ns)?.save(account, document)
    })
    return document
  }

  #keeperOf (name: string, ns: string): DocumentKeeper | undefined {
    return this.#keepers.find(keeper => keeper.keeps(name, ns))
  }
}
