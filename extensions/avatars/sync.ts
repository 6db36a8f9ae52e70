/**
 * Keeps an account's picture the same in its nodes (XEP-0084) and in its vCard (XEP-0153). Which of them has changed
 * follows from the picture that both had last.
 */
import { inBackground, neverRejects, StanzaError, Turns, Written } from '../../src/extension/api.ts'
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
  readonly #turns = new Turns()
  /** Accounts that wait for their turn. */
  readonly #due = new Set<string>()

  constructor (host: ExtensionHost, changed: (account: Jid, hash: string) => void) {
    this.#host = host
    this.#changed = changed
  }

  /** The metadata or the vCard have changed. */
  later (account: Jid): void {
    const key = account.toString()
    if (this.#due.has(key)) return
    this.#due.add(key)
    inBackground(this.#host.log, 'conversion of an avatar', this.#turns.inTurn(key, () => {
      this.#due.delete(key)
      return this.#convert(account)
    }))
  }

  /** Resolves when what has changed until now is the same in both places. */
  async settled (account: Jid): Promise<void> {
    const key = account.bare.toString()
    if (this.#turns.isBusy(key)) await this.#turns.inTurn(key, () => {})
  }

  async #convert (account: Jid): Promise<void> {
    try {
      const hash = await this.#convertFrom(account, await readHash(this.#host.db, account) ?? '')
      if (hash === undefined) return
      await saveHash(this.#host.db, account, hash)
      this.#changed(account, hash)
    } catch (err) {
      if (!(err instanceof StanzaError)) throw err // the database's
      this.#host.log.debug({ event: 'avatars.not_converted', err, account: account.toString() },
        'avatars: not converted')
    }
  }

  /** Resolves with the hash of another picture than the last one; undefined where there is none. */
  async #convertFrom (account: Jid, last: string): Promise<string | undefined> {
    const [metadata, vcard] = await Promise.all([
      this.#metadata(account), this.#host.documents.read(account, 'vCard', NS_VCARD),
    ])
    const described = metadata && describedIn(metadata)
    const published = described?.hash ?? ''
    if (published !== last && await this.#toVcard(account, described)) return published
    const picture = vcard && pictureInVcard(vcard.toElement())
    if ((picture?.hash ?? '') !== last) return this.#toNodes(account, picture)
  }

  async #metadata (account: Jid): Promise<Element | undefined> {
    const item = (await this.#host.pubsub.items(account, NS_METADATA)).at(-1)
    const metadata = item?.payload ? treeOf(item.payload) : undefined
    return metadata?.getName() === 'metadata' && metadata.getNS() === NS_METADATA ? metadata : undefined
  }

  /** XEP-0398 §4.1: whether the picture of the nodes is in the vCard; not where it is not for everybody (§8). */
  async #toVcard (account: Jid, described: ReturnType<typeof describedIn>): Promise<boolean> {
    const picture = described && await this.#pictureAt(account, described)
    if (described && !picture) return false
    const changed = await this.#host.documents.change(account, 'vCard', NS_VCARD, vcard =>
      vcard || picture ? written(withPicture(vcard?.toElement() ?? EMPTY, picture)) : undefined)
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
    const picture = item?.payload ? pictureInData(treeOf(item.payload), type) : undefined
    return picture?.hash === hash ? picture : undefined
  }

  /** XEP-0398 §4.2: publishes the picture of the vCard, and resolves with its hash. */
  async #toNodes (account: Jid, picture: Picture | undefined): Promise<string> {
    const { pubsub } = this.#host
    const hash = picture?.hash
    if (picture) await pubsub.publish(account, NS_DATA, { id: picture.hash, payload: written(dataOf(picture)) })
    const payload = written(metadataOf(picture))
    await pubsub.publish(account, NS_METADATA, hash === undefined ? { payload } : { id: hash, payload })
    return hash ?? ''
  }
}

const EMPTY = treeOf(`<vCard xmlns='${NS_VCARD}'/>`)

function treeOf (xml: string): Element {
  return Written.kept('', '', xml).toElement()
}

function written (element: Element): Written {
  return Written.kept(element.getName(), element.getNS() ?? '', element.toString())
}
