/**
 * An archive on many nodes: what was kept when its owner's home died, and had not been handed to the owner's sessions,
 * is handed to them at the next home.
 */
import { storedStanza } from '../../src/extension/api.ts'
import type { Account, AccountData, ExtensionHost, Message } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { readBehind } from './store.ts'

/**
 * Remembers outside of the node how far each archive was handed over, and goes on from there. What it returns hands over
 * what is in an archive behind that; nothing where there are no other nodes.
 */
export function outliveNodes (
  host: ExtensionHost, archives: AccountData<Archive>,
): ((account: Account) => Promise<void>) | undefined {
  const restored = new WeakSet<Account>()
  const note = host.durable({
    save: account => account.isAnonymous ? undefined : archives.of(account).handedOver,
    restore (account, saved, notes) {
      if (typeof saved !== 'number') return
      archives.of(account).handedOver = Math.max(saved, ...notes.map(({ about }) => Number(about)))
      restored.add(account)
    },
    restored: account => restored.has(account) ? handOverRest(host, account, archives.of(account)) : undefined,
  })
  if (!note) return
  const handedOver = ({ archiveId }: Message, account: Account): void => {
    const archive = archives.of(account)
    if (archiveId === undefined || Number(archiveId) <= archive.handedOver) return
    archive.handedOver = Number(archiveId)
    if (account.sessions.length > 0) note(account, archiveId)
  }
  host.on('send', 'fanout', (message, { account }) => { handedOver(message, account) })
  host.on('receive', 'fanout', handedOver)
  return account => handOverRest(host, account, archives.of(account))
}

async function handOverRest (host: ExtensionHost, account: Account, { owner, handedOver }: Archive): Promise<void> {
  for (const { seq, stanza } of await readBehind(host.db, owner, handedOver)) {
    const message = storedStanza(stanza)
    if (message.kind === 'message') host.handOverLate(account, String(seq), message)
  }
}
