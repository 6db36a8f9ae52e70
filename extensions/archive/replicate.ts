/**
 * Archives in a cluster: messages that were archived when the owner node died, and had not been delivered to the
 * sessions, are delivered by the next owner.
 */
import { storedStanza } from '../../src/extension/api.ts'
import type { AccountView, AccountData, ExtensionHost, Message } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { readBehind } from './store.ts'

type Rest = Awaited<ReturnType<typeof readBehind>>

/**
 * Replicates each archive's delivered position. The function that is returned delivers what follows it; undefined on a
 * single node.
 */
export function replicateArchive (
  host: ExtensionHost, archives: AccountData<Archive>,
): ((account: AccountView) => Promise<void>) | undefined {
  const rests = new WeakMap<AccountView, Rest>()
  const note = host.cluster?.replicate<number, readonly [position: string]>({
    save: account => account.isAnonymous ? undefined : archives.of(account).handedOver,
    async restore (account, saved, notes) {
      if (saved === undefined) return
      const archive = archives.of(account)
      archive.handedOver = Number(notes.at(-1)?.fields[0] ?? saved)
      rests.set(account, await readRest(archive))
    },
    onRestored: account => { handOver(rests.get(account) ?? [], account) },
  })
  const readRest = ({ owner, handedOver }: Archive): Promise<Rest> => readBehind(host.db, owner, handedOver)
  const handOver = (rest: Rest, account: AccountView): void => {
    for (const { seq, stanza } of rest) {
      const message = storedStanza(stanza)
      if (message.kind === 'message') host.messages.deliverRecovered(account, String(seq), message)
    }
  }
  if (!note) return
  const handedOver = ({ archiveNumber }: Message, account: AccountView): void => {
    const archive = archives.of(account)
    if (archiveNumber === undefined || Number(archiveNumber) <= archive.handedOver) return
    archive.handedOver = Number(archiveNumber)
    if (account.sessions.length > 0) note(account, [archiveNumber])
  }
  host.on('send', 'fanout', (message, { account }) => { handedOver(message, account) })
  host.on('receive', 'fanout', handedOver)
  return async account => { handOver(await readRest(archives.of(account)), account) }
}
