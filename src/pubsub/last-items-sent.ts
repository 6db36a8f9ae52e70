/**
 * Which sessions have been sent the last items of all nodes that their clients want. Where their account goes on at
 * another node of the cluster before that, they are sent them there, from the beginning.
 */
import { announcedIn } from '../caps/announced.ts'
import type { ExtensionHost } from '../extension/host.ts'
import type { AccountView, SessionView } from '../extension/views.ts'

/** A session's resource, and what its client had announced of its capabilities (XEP-0115) then. */
type Done = readonly [resource: string, announced: string]

export class LastItemsSent {
  readonly #done = new WeakMap<SessionView, string>()
  readonly #underWay = new Map<SessionView, number>()
  readonly #note: ((account: AccountView, done: Done) => void) | undefined

  /** `again` sends a session that has come from another node all last items. */
  constructor (host: ExtensionHost, again: (session: SessionView) => void) {
    this.#note = host.cluster?.replicate<readonly Done[], Done>({
      save: ({ sessions }) => sessions.flatMap(session => {
        const announced = this.#done.get(session)
        return announced === undefined ? [] : [[session.jid.resource, announced] as const]
      }),
      restore: (account, saved, notes) => {
        for (const [resource, announced] of [...saved ?? [], ...notes.map(({ fields }) => fields)]) {
          const session = account.session(resource)
          if (session) this.#done.set(session, announced)
        }
      },
      onRestored: ({ sessions }) => {
        for (const session of sessions) if (this.#done.get(session) !== announcedBy(session)) again(session)
      },
    })
    host.when('presence.withdrawn', session => { this.#done.delete(session) }) // saved with the presence
  }

  /** Waits for what is sent because of what the client announces now; `sending` says whether all was sent. */
  async after (session: SessionView, sending: Promise<boolean>): Promise<void> {
    const announced = announcedBy(session)
    this.#underWay.set(session, (this.#underWay.get(session) ?? 0) + 1)
    let isAllSent = false
    try {
      isAllSent = await sending
    } finally {
      const others = (this.#underWay.get(session) ?? 1) - 1
      if (others > 0) this.#underWay.set(session, others)
      else this.#underWay.delete(session)
    }
    if (!isAllSent || this.#underWay.has(session)) return
    this.#done.set(session, announced)
    this.#note?.(session.account, [session.jid.resource, announced])
  }
}

function announcedBy ({ presence }: SessionView): string {
  return (presence && announcedIn(presence)?.ver) ?? ''
}
