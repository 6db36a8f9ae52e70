/** XEP-0045 §10.1.1: who may make rooms, and how many. */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Muc } from '../context.ts'

/** For how long the count of all rooms is reused, in milliseconds. */
const COUNT_MS = 10_000

/** Counts the rooms that are being created, and estimates how many there are. */
export class Creations {
  readonly #underWay = new Map<string, number>()
  #underWayTotal = 0
  /** The last count of all rooms, and those created here since. */
  #count = 0
  #countedAt = -Infinity
  #counting: Promise<void> | undefined

  /** Rooms that this creator is creating now. */
  of (creator: string): number {
    return this.#underWay.get(creator) ?? 0
  }

  /** One more is being created, until the function that is returned is called: whether it was created. */
  begin (creator: string): (isCreated: boolean) => void {
    this.#underWay.set(creator, this.of(creator) + 1)
    this.#underWayTotal++
    return isCreated => {
      this.#underWayTotal--
      if (isCreated) this.#count++
      const rest = this.of(creator) - 1
      if (rest > 0) this.#underWay.set(creator, rest)
      else this.#underWay.delete(creator)
    }
  }

  /** An estimate of the number of rooms: the last count, and those created here since, or being created. */
  async total (count: () => Promise<number>): Promise<number> {
    if (performance.now() - this.#countedAt > COUNT_MS) await (this.#counting ??= this.#recount(count))
    return this.#count + this.#underWayTotal
  }

  async #recount (count: () => Promise<number>): Promise<void> {
    try {
      this.#count = await count()
      this.#countedAt = performance.now()
    } finally {
      this.#counting = undefined
    }
  }
}

/**
 * Counts a room against its creator's limit before it exists, until the function that is returned is called: whether
 * the room was created. Throws not-allowed where the creator has reached the limit, resource-constraint where the
 * service has.
 */
export async function beginRoom (muc: Muc, { bare }: Jid): Promise<(isCreated: boolean) => void> {
  const { limits: { roomsPerOwner, rooms }, store, creations } = muc
  const creator = bare.toString()
  if (!await mayCreate(muc, bare)) throw new StanzaError('not-allowed', 'you are not allowed to create rooms')
  if (rooms > 0 && await creations.total(() => store.count()) >= rooms)
    throw new StanzaError('resource-constraint', 'too many rooms')
  const unkept = muc.countLocked(creator) + creations.of(creator)
  const end = creations.begin(creator)
  try {
    if (roomsPerOwner > 0 && unkept + await store.countMadeBy(bare) >= roomsPerOwner)
      throw new StanzaError('not-allowed', 'too many rooms')
  } catch (error) { // whatever it is, there will be no room
    end(false)
    throw error
  }
  return end
}

/** An anonymous account is a new one each time: a limit would not hold, and its rooms would be nobody's. */
async function mayCreate ({ limits: { create }, hosts, accounts }: Muc, account: Jid): Promise<boolean> {
  if (create === 'local') return hosts.includes(account.domain) && accounts.isPersistent(account)
  return create === 'anyone'
}
