/** The context of Multi-User Chat: the services it uses, and its settings. */
import type { WriteWithAffiliations } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Router } from '../routing/router.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Creations } from './presence/creation.ts'
import type { RateLimit } from '../util/rate-limit.ts'
import type { Shares } from '../util/shares.ts'
import type { InvitationStore } from './messages/invitation-store.ts'
import type { MucLimits } from './limits.ts'
import type { RoomOptions } from './room/room-options.ts'
import type { Room } from './room/room.ts'
import type { RoomStore } from './store.ts'
import { UnderWay } from './presence/under-way.ts'

/** What rooms need to know about accounts. */
export interface RoomAccounts {
  /** Whether the account exists; an anonymous one does while it is online. */
  exists (jid: Jid): Promise<boolean>
  /** Whether the account outlives its streams: anonymous ones do not. */
  isPersistent (jid: Jid): Promise<boolean>
  /**
   * The generation of an account: it differs from other accounts of the same name, before or later. At once where the
   * account is in memory; '' for anonymous ones, and for those of other servers.
   */
  lifeOf (jid: Jid): string | Promise<string>
}

export interface Muc {
  readonly router: Router
  readonly stages: StageTable
  readonly store: RoomStore
  readonly options: RoomOptions
  readonly limits: MucLimits
  /** The hosts whose accounts are local. */
  readonly hosts: readonly string[]
  /** Affiliations changed, and are stored. */
  affiliated (room: Room, accounts: readonly Jid[]): void
  /** An account was removed: extensions drop its data of this room. */
  forgotten (room: Room, account: Jid): Promise<void>
  /** Writers of extensions for the transaction that stores affiliations. */
  readonly affiliationWriters: ReadonlySet<WriteWithAffiliations>
  readonly log: Logger
  readonly accounts: RoomAccounts
  readonly invitations: InvitationStore
  /** Rate of unsolicited stanzas (invitations, requests) per account, over all rooms. */
  readonly invitationRate: RateLimit
  readonly creations: Creations
  /** Bytes that rooms have sent and that occupants' owner nodes have not confirmed, per room. */
  readonly underWay: Shares
  /** The rooms of a creator that are still locked (not configured). */
  countLocked (creator: string): number
  /** Removes the room from memory and database. Occupants are sent `destroyed`, which is `<destroy/>` as XML. */
  end (room: Room, destroyed?: string): Promise<void>
}

/** The result of a stanza once the room's turn may end: its sender waits for the rest. */
export interface Received { readonly handedOver?: Promise<unknown> | undefined }

/** Sends a stanza of the room to one address, without waiting. Returns its size in bytes (send-queue.ts). */
export function post (muc: Muc, stanza: Stanza): number {
  muc.router.post(stanza)
  return stanza.weight
}

/**
 * Sends each recipient its stanza; where that fails for some, it is logged once, and the others get theirs. `sent`
 * resolves when all are in flight, `arrived` when the recipients' owner nodes have them; undefined where that is now.
 * Until then they count against the room's limit (under-way.ts).
 */
export function postEach<T> (
  muc: Muc, room: Room, recipients: readonly T[], stanzaFor: (recipient: T) => Stanza | undefined,
): { readonly sent: void | Promise<void>, readonly arrived: Promise<void> | undefined } {
  let underWay: UnderWay | undefined
  let hasFailed = false
  const sent = room.sendQueue.send(recipients, recipient => {
    try {
      const stanza = stanzaFor(recipient)
      if (!stanza) return 0
      const done = muc.router.postAndWait(stanza)
      if (done) (underWay ??= new UnderWay(muc.underWay, room.jid.toString())).add(stanza, done)
      return stanza.weight
    } catch (error) {
      if (!hasFailed) {
        muc.log.error({ event: 'muc.send_failed', err: error, room: room.jid.toString() }, 'muc: send failed')
      }
      hasFailed = true
      return 0
    }
  })
  return { sent, arrived: sent ? sent.then(() => underWay?.arrived()) : underWay?.arrived() }
}

/** The domain of a host's rooms. */
export function roomsDomain (host: string): string {
  return `conference.${host}`
}
