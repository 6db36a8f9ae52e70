/** XEP-0049: Private XML Storage. Keeps one element per name and namespace for an account's own devices. */
import { el, extension, parseStored, StanzaError } from '../../src/extension/api.ts'
import type { Element } from '../../src/extension/api.ts'

const NS = 'jabber:iq:private'

/** §2.3: what is the protocol's own is no place for private data. */
const RESERVED = /^(jabber:client|jabber:server|vcard-temp|jabber:iq:.*|)$/

export const privateStorage = extension({
  name: 'private-storage',
  xeps: ['0049@1.2'],
  setup (host) {
    host.feature(NS)
    host.iq({ type: 'get', to: ['own-account'], name: 'query', ns: NS }, async ({ to, payload }) => {
      const wanted = onlyChild(payload)
      const [row] = await host.db.query<{ element: string }>(
        'select element from private_element where owner = $1 and name = $2 and ns = $3',
        [to.toString(), wanted.getName(), namespaceOf(wanted)])
      return el('query', NS, {}, row ? parseStored(row.element) : el(wanted.getName(), wanted.getNS()))
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'query', ns: NS }, async ({ to, payload }, { account }) => {
      if (account.isAnonymous) throw new StanzaError('not-allowed', 'an anonymous account keeps nothing')
      const children = payload.getChildElements()
      if (children.length === 0) throw new StanzaError('not-acceptable', 'there is nothing to keep') // §2.3
      await host.db.transaction(async db => {
        for (const child of children) {
          await db.query(
            `insert into private_element (owner, name, ns, element) values ($1, $2, $3, $4)
             on conflict (owner, name, ns) do update set element = $4`,
            [to.toString(), child.getName(), namespaceOf(child), child.toString()])
        }
      })
    })
    // §2.3: nobody reads another's.
    for (const type of ['get', 'set'] as const) {
      host.iq({ type, to: ['address'], name: 'query', ns: NS }, () => { throw new StanzaError('forbidden') })
    }
  },
})

function onlyChild (query: Element): Element {
  const [child, ...more] = query.getChildElements()
  if (!child || more.length > 0) throw new StanzaError('bad-request', 'a query names one element')
  return child
}

function namespaceOf (element: Element): string {
  const ns = element.getNS() ?? ''
  if (RESERVED.test(ns)) throw new StanzaError('not-acceptable', 'the namespace is not private')
  return ns
}
