/** Devices of one account, of which the stanzas are seen that they are written, not only their text. */
import type { Session } from '../../../src/session/session.ts'
import { Jid } from '../../../src/xmpp/jid.ts'
import type { Stanza } from '../../../src/xmpp/stanza.ts'
import type { World } from './world.ts'

export interface Device { readonly session: Session, readonly written: Stanza[] }

/** So many sessions of an account that is there. */
export async function manyDevices ({ core }: World, account: string, count: number): Promise<readonly Device[]> {
  const opened = await core.accounts.open(Jid.parse(account), false)
  return Array.from({ length: count }, (_, number) => {
    const written: Stanza[] = []
    const session = core.accounts.bind(opened, Jid.parse(`${account}/device${number}`), {
      remoteAddress: '127.0.0.1', bufferedBytes: 0,
      write (stanza) { written.push(stanza) },
      writeElement () {},
      close () {},
      charge () {},
      drained: () => undefined,
    })
    return { session, written }
  })
}

/** Whether all are copies of one stanza, which was written once: each of them has the same bytes in memory. */
export function areCopies (stanzas: readonly (Stanza | undefined)[]): boolean {
  const [first] = stanzas
  return stanzas.every(stanza =>
    first !== undefined && stanza !== undefined && stanza.isSameMulticast(first) && stanza.inner === first.inner
  )
}
