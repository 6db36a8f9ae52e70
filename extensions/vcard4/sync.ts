/**
 * Keeps an account's vCard the same in its node (vCard4) and as vcard-temp. Which of them has changed follows from the
 * digests of both when they were the same last.
 */
import { createHash } from 'node:crypto'
import { AccountConversion, neverRejects, storedTree, Written } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, Jid, StoredItem } from '../../src/extension/api.ts'
import { NS, NS_TEMP, toVcard4, toVcardTemp } from './convert.ts'
import { readSame, saveSame } from './store.ts'
import type { Same } from './store.ts'

/** The most elements of a vCard that is converted: people's have a hundred. */
const MAX_ELEMENTS = 1000
/** XEP-0292 §4.1. */
export const NODE = 'urn:xmpp:vcard4'

export class VcardSync {
  readonly #host: ExtensionHost
  readonly conversion: AccountConversion

  constructor (host: ExtensionHost) {
    this.#host = host
    const { db, documents } = host
    this.conversion = new AccountConversion(host, {
      name: 'conversion of a vCard',
      isDue: async account =>
        !await readSame(db, account) && await documents.read(account, 'vCard', NS_TEMP) !== undefined,
      convert: account => this.#convert(account),
    })
  }

  async #convert (account: Jid): Promise<void> {
    const { db, documents, pubsub } = this.#host
    const [same, item, temp] = await Promise.all([
      readSame(db, account), pubsub.items(account, NODE).then(items => items.at(-1)),
      documents.read(account, 'vCard', NS_TEMP),
    ])
    const now = await this.#converted(account, same, item, temp)
    if (now) await saveSame(db, account, now)
  }

  /** Converts what has changed, and resolves with the digests of both; undefined where nothing has. */
  async #converted (
    account: Jid, same: Same | undefined, item: StoredItem | undefined, temp: Written | undefined,
  ): Promise<Same | undefined> {
    const now = { modern: digestOf(item?.payload), temp: digestOf(temp?.xml) }
    const modern = item && modernIn(item)
    if (modern && now.modern !== same?.modern && await this.#isOpen(account)) {
      return { ...now, temp: digestOf(await this.#toTemp(account, modern)) }
    }
    if (temp && now.temp !== same?.temp) {
      return { ...now, modern: digestOf(await this.#toModern(account, storedTree(temp.xml, MAX_ELEMENTS), item)) }
    }
  }

  /** Everybody may read vcard-temp. */
  async #isOpen (account: Jid): Promise<boolean> {
    const options = await this.#host.pubsub.options(account, NODE)
    return options?.['pubsub#access_model']?.[0] === 'open'
  }

  async #toTemp (account: Jid, modern: Element): Promise<string | undefined> {
    const { documents } = this.#host
    const changed = await documents.change(account, 'vCard', NS_TEMP, before =>
      Written.of(toVcardTemp(modern, before && storedTree(before.xml, MAX_ELEMENTS))))
    if (changed) neverRejects(documents.saved(account, changed)) // handlers that fail are logged
    return changed?.xml
  }

  async #toModern (account: Jid, temp: Element, item: StoredItem | undefined): Promise<string> {
    const before = item && modernIn(item)
    const payload = Written.of(toVcard4(temp, before))
    if (item && payload.xml === before?.toString()) return item.payload
    await this.#host.pubsub.publish(account, NODE, item ? { id: item.id, payload } : { payload })
    return payload.xml
  }
}

function modernIn ({ payload }: StoredItem): Element | undefined {
  const vcard = payload === '' ? undefined : storedTree(payload, MAX_ELEMENTS)
  return vcard?.getName() === 'vcard' && vcard.getNS() === NS ? vcard : undefined
}

function digestOf (xml: string | undefined): string {
  return createHash('sha1').update(xml ?? '').digest('hex')
}
