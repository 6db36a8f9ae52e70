/** The affiliations of one room, by bare address or domain, and reserved nicks (XEP-0045 §5.2 and §7.12). */
import type { Affiliation } from '../../xmpp/muc.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { comparedAsNickname } from '../../xmpp/precis.ts'

/** An entry of the lists; users without one have no affiliation. */
export interface Affiliate {
  readonly jid: Jid
  readonly affiliation: Exclude<Affiliation, 'none'>
  /** Nobody else may use it. */
  readonly nick?: string | undefined
  readonly reason?: string | undefined
  /** Became a member by registering without approval (XEP-0045 §7.10). */
  readonly isOwn?: true | undefined
  /** Given by others, and not accepted yet by entering or asking for it. */
  readonly isUnasked?: true | undefined
}

export class Affiliations {
  readonly #byJid = new Map<string, Affiliate>()
  /** By nick in the form that is compared. */
  readonly #byNick = new Map<string, Affiliate>()
  #revision = 0

  constructor (affiliates: Iterable<Affiliate> = []) {
    for (const affiliate of affiliates) this.set(affiliate)
  }

  get size (): number {
    return this.#byJid.size
  }

  /** Changes with every change. */
  get revision (): number {
    return this.#revision
  }

  /** The entry of exactly this address. */
  get ({ bare }: Jid): Affiliate | undefined {
    return this.#byJid.get(bare.toString())
  }

  /** The affiliation of an address; a ban of its domain counts (§9.2). */
  of (jid: Jid): Affiliation {
    const own = this.get(jid)
    if (own) return own.affiliation
    return this.#byJid.get(jid.domain)?.affiliation === 'outcast' ? 'outcast' : 'none'
  }

  /** The owner of a reserved nick, or of one that looks like it. */
  ownerOfNick (nick: string): Affiliate | undefined {
    return this.#byNick.get(comparedAsNickname(nick))
  }

  /** Everybody who is that. */
  listed (affiliation: Affiliation): readonly Affiliate[] {
    return [...this.#byJid.values()].filter(affiliate => affiliate.affiliation === affiliation)
  }

  [Symbol.iterator] (): Iterator<Affiliate> {
    return this.#byJid.values()
  }

  set (affiliate: Affiliate): void {
    this.remove(affiliate.jid)
    this.#byJid.set(affiliate.jid.toString(), affiliate)
    if (affiliate.nick !== undefined) this.#byNick.set(comparedAsNickname(affiliate.nick), affiliate)
  }

  remove (jid: Jid): void {
    this.#revision++
    const before = this.#byJid.get(jid.toString())
    if (before?.nick !== undefined && this.ownerOfNick(before.nick) === before)
      this.#byNick.delete(comparedAsNickname(before.nick))
    this.#byJid.delete(jid.toString())
  }
}
