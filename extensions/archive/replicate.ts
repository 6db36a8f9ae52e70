/**
 * An archive on many nodes: what was kept when its owner's home died, and had not been handed to the owner's sessions,
 * is handed to them at the next home.
 */
import { storedStanza } from '../../src/extension/api.ts'
import type { Account, AccountData, ExtensionHost, Message } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { readBehind } from './store.ts'

type Rest = Awaited<ReturnType<typeof readBehind>>

/**
 * Remembers outside of the node how far each archive was handed over, and goes on from there. What it returns hands
 * over what is in an archive behind that; nothing where there are no other nodes.
 */
export function replicateArchive (
  host: ExtensionHost, archives: AccountData<Archive>,
): ((account: Account) => Promise<void>) | undefined {
  const rests = new WeakMap<Account, Rest>()
  const note = host.cluster?.replicate({
    save: account => account.isAnonymous ? undefined : archives.of(account).handedOver,
    async restore (account, saved, notes) {
      if (typeof saved !== 'number') return
      const archive = archives.of(account)
      archive.handedOver = Number(notes.at(-1)?.about ?? saved)
      rests.set(account, await readRest(archive))
    },
    onRestored: account => { handOver(rests.get(account) ?? [], account) },
  })
  const readRest = ({ owner, handedOver }: Archive): Promise<Rest> => readBehind(host.db, owner, handedOver)
  const handOver = (rest: Rest, account: Account): void => {
    for (const { seq, stanza } of rest) {
      const message = storedStanza(stanza)
      if (message.kind === 'message') host.messages.deliverRecovered(account, String(seq), message)
    }
  }
  if (!note) return
  const handedOver = ({ archiveId }: Message, account: Account): void => {
    const archive = archives.of(account)
    if (archiveId === undefined || Number(archiveId) <= archive.handedOver) return
    archive.handedOver = Number(archiveId)
    if (account.sessions.length > 0) note(account, archiveId)
  }
  host.on('send', 'fanout', (message, { account }) => { handedOver(message, account) })
  host.on('receive', 'fanout', handedOver)
  return async account => { handOver(await readRest(archives.of(account)), account) }
}
