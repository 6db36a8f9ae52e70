/**
 * Who is what in one room, by bare address or domain, and the nicks that are theirs alone (XEP-0045 §5.2 and §7.12).
 */
import type { Jid } from '../../xmpp/jid.ts'
import { comparedAsNickname } from '../../xmpp/precis.ts'
import type { Affiliation } from './affiliation.ts'

/** One entry of a list: whoever is not in it has no affiliation. */
export interface Affiliate {
  readonly jid: Jid
  readonly affiliation: Exclude<Affiliation, 'none'>
  /** Nobody else may use it. */
  readonly nick?: string | undefined
  readonly reason?: string | undefined
  /** He made himself a member, by registering where nobody had to agree (XEP-0045 §7.10). */
  readonly isOwn?: true | undefined
  /** Others have made him that, and he has neither come in since nor asked for it. */
  readonly isUnasked?: true | undefined
}

export class Affiliations {
  readonly #byJid = new Map<string, Affiliate>()
  /** By what is compared of their nicks. */
  readonly #byNick = new Map<string, Affiliate>()
  #revision = 0

  constructor (affiliates: Iterable<Affiliate> = []) {
    for (const affiliate of affiliates) this.set(affiliate)
  }

  get size (): number {
    return this.#byJid.size
  }

  /** Another number after every change. */
  get revision (): number {
    return this.#revision
  }

  /** The entry of exactly that address. */
  get ({ bare }: Jid): Affiliate | undefined {
    return this.#byJid.get(bare.toString())
  }

  /** What somebody is; a domain may be banned as a whole (§9.2). */
  of (jid: Jid): Affiliation {
    const own = this.get(jid)
    if (own) return own.affiliation
    return this.#byJid.get(jid.domain)?.affiliation === 'outcast' ? 'outcast' : 'none'
  }

  /** Whose alone a nick is, or one that looks like it. */
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
    if (before?.nick !== undefined && this.ownerOfNick(before.nick) === before) this.#byNick.delete(comparedAsNickname(before.nick))
    this.#byJid.delete(jid.toString())
  }
}
