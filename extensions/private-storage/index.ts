/** XEP-0049: Private XML Storage. Stores one element per name and namespace for an account's own devices. */
import { z } from 'zod'
import { el, extension, StanzaError, Turns, Written } from '../../src/extension/api.ts'
import type { Database, Jid } from '../../src/extension/api.ts'
import { readElement, saveElements } from './store.ts'

const NS = 'jabber:iq:private'

/** §2.3: namespaces of the protocol, in which nothing can be stored. */
const RESERVED = /^(jabber:client|jabber:server|vcard-temp|jabber:iq:.*|)$/

/** The most elements of one request. */
const MAX_AT_ONCE = 100

export const privateStorage = extension({
  name: 'private-storage',
  xeps: ['0049@1.2'],
  config: z.strictObject({ bytes: z.int().min(0).default(1_000_000) }).prefault({}),
  setup (host, { bytes: most }) {
    const turns = new Turns()

    // in turn, so that concurrent requests can't exceed the limit together
    const save = (owner: Jid, elements: readonly Written[]): void | Promise<void> => {
      const account = owner.toString()
      return turns.inTurn(account, () => host.db.transaction(db => keep(db, account, elements, most)))
    }
    host.documents.keep({
      keeps: (_name, ns) => !RESERVED.test(ns),
      read: (account, name, ns) => readElement(host.db, account.toString(), name, ns),
      async save (account, document) { await save(account, [document]) },
    })
    host.disco.feature(NS)
    host.iq({ type: 'get', to: ['own-account'], name: 'query', ns: NS }, async ({ from, to, written }) => {
      const [wanted] = written.children(1) ?? []
      if (!wanted) throw new StanzaError('bad-request', 'the request must contain exactly one element')
      const { name, ns } = wanted
      checkNamespace(ns)
      const stored = await host.readFor(from, db => readElement(db, to.toString(), name, ns))
      return stored === undefined
        ? el('query', NS, {}, el(name, ns))
        : Written.around(el('query', NS), Written.kept(name, ns, stored))
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'query', ns: NS }, async ({ to, written }, { account }) => {
      if (account.isAnonymous) throw new StanzaError('not-allowed', 'anonymous accounts cannot store data')
      const elements = written.children(MAX_AT_ONCE)
      if (!elements) {
        throw new StanzaError('policy-violation',
          `too many elements: at most ${MAX_AT_ONCE} are allowed in one request`)
      }
      if (elements.length === 0) {
        throw new StanzaError('not-acceptable', 'the request contains nothing to store') // §2.3
      }
      for (const { ns } of elements) checkNamespace(ns)
      await save(to, elements)
      for (const element of elements) await host.documents.saved(to, element)
    })
    // §2.3: other accounts' data are not accessible.
    for (const type of ['get', 'set'] as const) {
      host.iq({ type, to: ['address'], name: 'query', ns: NS }, () => { throw new StanzaError('forbidden') })
    }
  },
})

/**
 * Stores the elements; throws where the owner's elements exceed `most` bytes, so that the transaction is rolled back.
 */
async function keep (db: Database, owner: string, elements: readonly Written[], most: number): Promise<void> {
  if (await saveElements(db, owner, elements) > most) {
    throw new StanzaError('resource-constraint', `there is no space left: at most ${most} bytes can be stored`)
  }
}

function checkNamespace (ns: string): void {
  if (RESERVED.test(ns)) throw new StanzaError('not-acceptable', 'data of this namespace cannot be stored here')
}
