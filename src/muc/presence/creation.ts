/** XEP-0045 §10.1.1: who may make rooms, and how many. */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Muc } from '../context.ts'

/** So long what all rooms are together need not be counted anew, in milliseconds. */
const COUNT_MS = 10_000

/** The rooms that are being made, and how many there are. */
export class Creations {
  readonly #underWay = new Map<string, number>()
  #count = 0
  #countedAt = -Infinity

  /** How many rooms somebody is making now. */
  of (creator: string): number {
    return this.#underWay.get(creator) ?? 0
  }

  /** One more is being made, until what is returned is called. */
  begin (creator: string): () => void {
    this.#underWay.set(creator, this.of(creator) + 1)
    this.#count++
    return () => {
      const rest = this.of(creator) - 1
      if (rest > 0) this.#underWay.set(creator, rest)
      else this.#underWay.delete(creator)
    }
  }

  /** About how many rooms there are: as many as there were lately, and what was made here since. */
  async total (count: () => Promise<number>): Promise<number> {
    if (performance.now() - this.#countedAt > COUNT_MS) {
      this.#countedAt = performance.now()
      this.#count = await count()
    }
    return this.#count
  }
}

/**
 * Counts one more room for who makes it, before there is one: until what is returned is called, by when it counts as one
 * that is there. Throws not-allowed where somebody may not make one more, resource-constraint where nobody may.
 */
export async function beginRoom (muc: Muc, { bare }: Jid): Promise<() => void> {
  const { limits: { roomsPerOwner, rooms }, store, creations } = muc
  const creator = bare.toString()
  if (!await mayCreate(muc, bare)) throw new StanzaError('not-allowed', 'you are not allowed to create rooms')
  if (rooms > 0 && await creations.total(() => store.count()) >= rooms) throw new StanzaError('resource-constraint', 'too many rooms')
  const unkept = muc.countLocked(creator) + creations.of(creator)
  const end = creations.begin(creator)
  try {
    if (roomsPerOwner > 0 && unkept + await store.countMadeBy(bare) >= roomsPerOwner) throw new StanzaError('not-allowed', 'too many rooms')
  } catch (error) { // whatever it is, there will be no room
    end()
    throw error
  }
  return end
}

/** An anonymous account is another each time: no limit would hold, and what it left would be nobody's. */
async function mayCreate ({ limits: { create }, hosts, accounts }: Muc, account: Jid): Promise<boolean> {
  if (create === 'local') return hosts.includes(account.domain) && accounts.lasts(account)
  return create === 'anyone'
}
