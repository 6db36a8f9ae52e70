/** What the parts of Multi-User Chat have in common: what they need of the server, and the service's own settings. */
import type { WriteWithAffiliations } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import { inBackground } from '../util/background.ts'
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

/** What rooms need to know of the accounts of the hosts. */
export interface RoomAccounts {
  /** Whether there is such an account now. */
  isThere (jid: Jid): Promise<boolean>
  /** Whether it will be there when its streams have ended: anonymous ones will not. */
  lasts (jid: Jid): Promise<boolean>
  /**
   * What tells an account from others that have had its name, or will: the same for as long as it lasts. At once where it
   * is in memory here; '' where none lasts.
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
  /** Somebody is something else in the room: it is kept. */
  affiliated (room: Room, accounts: readonly Jid[]): void
  /** An account is no more: what extensions know of it in the room goes. */
  forgotten (room: Room, account: Jid): Promise<void>
  /** What extensions write with changes of who is what. */
  readonly keptWith: ReadonlySet<WriteWithAffiliations>
  readonly log: Logger
  readonly accounts: RoomAccounts
  readonly invitations: InvitationStore
  /** How much each account has rooms send to people who did not ask for it, whichever rooms they are. */
  readonly invitationRate: RateLimit
  readonly creations: Creations
  /** What rooms have sent and the homes of their occupants have not taken yet, by the room. */
  readonly underWay: Shares
  /** How many rooms here somebody has made and is yet to set up. */
  countLocked (creator: string): number
  /** The room is no more: out of memory and out of the database. Who is in is told `destroyed`, which is `<destroy/>` as XML. */
  end (room: Room, destroyed?: string): Promise<void>
}

/** What came of a stanza, once the room's turn may end: what its sender has to wait for besides. */
export interface Received { readonly handedOver?: Promise<unknown> | undefined }

/** Sends what a room has to say to one address; nothing waits for it. Returns how many bytes it has (outbox.ts). */
export function post (muc: Muc, stanza: Stanza): number {
  muc.router.post(stanza)
  return stanza.weight
}

/**
 * Sends each of them what there is for it: `sent` when all is under way, `arrived` when it has reached the homes of all;
 * nothing where that is now. What has not arrived counts as the room's (under-way.ts).
 */
export function postEach<T> (
  muc: Muc, room: Room, recipients: readonly T[], stanzaFor: (recipient: T) => Stanza | undefined,
): { readonly sent: void | Promise<void>, readonly arrived: Promise<unknown> | undefined } {
  let underWay: UnderWay | undefined
  const sent = room.sendQueue.send(recipients, recipient => {
    const stanza = stanzaFor(recipient)
    if (!stanza) return 0
    const done = muc.router.postAndWait(stanza)
    if (done) (underWay ??= new UnderWay(muc.underWay, room.jid.toString())).add(stanza, done)
    return stanza.weight
  })
  const arrived = (): Promise<unknown> | undefined => underWay?.arrived()
  return { sent, arrived: sent ? afterwards(sent, arrived) : arrived() }
}

async function afterwards (sent: Promise<void>, arrived: () => Promise<unknown> | undefined): Promise<void> {
  try { await sent } finally { await arrived() }
}

/** The same where nobody waits for it. `task` says in the log what has failed. */
export function postInBackground<T> (
  muc: Muc, room: Room, task: string, recipients: readonly T[], stanzaFor: (recipient: T) => Stanza | undefined,
): void {
  inBackground(muc.log, task, postEach(muc, room, recipients, stanzaFor).arrived)
}

/** The domain of a host's rooms. */
export function roomsDomain (host: string): string {
  return `conference.${host}`
}
