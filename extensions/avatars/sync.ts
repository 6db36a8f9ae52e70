/**
 * Keeps an account's picture the same in its nodes (XEP-0084) and in its vCard (XEP-0153). Which of them has changed
 * follows from the picture that both had last.
 */
import { AccountConversion, el, neverRejects, storedTree, Written } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, Jid } from '../../src/extension/api.ts'
import {
  dataOf, describedIn, metadataOf, NS_DATA, NS_METADATA, NS_VCARD, pictureInData, pictureInVcard, withPicture,
} from './convert.ts'
import type { Picture } from './convert.ts'
import { readHash, saveHash } from './store.ts'

export class AvatarSync {
  readonly #host: ExtensionHost
  /** The account's picture is another in all places. */
  readonly #changed: (account: Jid, hash: string) => void
  readonly conversion: AccountConversion

  constructor (host: ExtensionHost, changed: (account: Jid, hash: string) => void) {
    this.#host = host
    this.#changed = changed
    const { db, documents } = host
    this.conversion = new AccountConversion(host, {
      name: 'conversion of an avatar',
      isDue: async account =>
        await readHash(db, account) === undefined && await documents.read(account, 'vCard', NS_VCARD) !== undefined,
      convert: account => this.#convert(account),
    })
  }

  async #convert (account: Jid): Promise<void> {
    const last = await readHash(this.#host.db, account)
    const hash = await this.#convertFrom(account, last ?? '') ?? last ?? ''
    if (hash === last) return
    await saveHash(this.#host.db, account, hash)
    this.#changed(account, hash)
  }

  /** Resolves with the hash of another picture than the last one; undefined where there is none. */
  async #convertFrom (account: Jid, last: string): Promise<string | undefined> {
    const [metadata, vcard] = await Promise.all([
      this.#metadata(account), this.#host.documents.read(account, 'vCard', NS_VCARD),
    ])
    const described = metadata && describedIn(metadata)
    const published = described?.hash ?? ''
    if (published !== last && await this.#toVcard(account, described)) return published
    const picture = vcard && pictureInVcard(storedTree(vcard.xml))
    if ((picture?.hash ?? '') !== last) return this.#toNodes(account, picture)
  }

  async #metadata (account: Jid): Promise<Element | undefined> {
    const item = (await this.#host.pubsub.items(account, NS_METADATA)).at(-1)
    const metadata = item?.payload ? storedTree(item.payload) : undefined
    return metadata?.getName() === 'metadata' && metadata.getNS() === NS_METADATA ? metadata : undefined
  }

  /** XEP-0398 §3.1: whether the picture of the nodes is in the vCard; not where it is not for everybody (§7). */
  async #toVcard (account: Jid, described: ReturnType<typeof describedIn>): Promise<boolean> {
    const picture = described && await this.#pictureAt(account, described)
    if (described && !picture) return false
    const changed = await this.#host.documents.change(account, 'vCard', NS_VCARD, before => {
      const vcard = before ? storedTree(before.xml) : el('vCard', NS_VCARD)
      return before || picture ? Written.of(withPicture(vcard, picture)) : undefined
    })
    if (changed) neverRejects(this.#host.documents.saved(account, changed)) // handlers that fail are logged
    return true
  }

  async #pictureAt (
    account: Jid, { hash, type }: NonNullable<ReturnType<typeof describedIn>>,
  ): Promise<Picture | undefined> {
    const { pubsub } = this.#host
    const options = await pubsub.options(account, NS_DATA)
    if (options?.['pubsub#access_model']?.[0] !== 'open') return
    const [item] = await pubsub.items(account, NS_DATA, [hash])
    const picture = item?.payload ? pictureInData(storedTree(item.payload), type) : undefined
    return picture?.hash === hash ? picture : undefined
  }

  /** XEP-0398 §3.2: publishes the picture of the vCard, and resolves with its hash. */
  async #toNodes (account: Jid, picture: Picture | undefined): Promise<string> {
    const { pubsub } = this.#host
    const hash = picture?.hash
    if (picture) await pubsub.publish(account, NS_DATA, { id: picture.hash, payload: Written.of(dataOf(picture)) })
    const payload = Written.of(metadataOf(picture))
    await pubsub.publish(account, NS_METADATA, hash === undefined ? { payload } : { id: hash, payload })
    return hash ?? ''
  }
}
