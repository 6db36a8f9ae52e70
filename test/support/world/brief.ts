/** A stanza in a few words, for tests that say who receives what in which order. */
import type { Element } from '../../../src/xml/element.ts'
import { NS_CLIENT, NS_ROSTER, NS_STANZA_ERRORS } from '../../../src/xmpp/ns.ts'
import type { Stanza } from '../../../src/xmpp/stanza.ts'

/** Such as `subscribe from romeo@localhost`, `push romeo@localhost from`, `chat from romeo@localhost/garden: hello`. */
export function brief (stanza: Stanza): string {
  const from = stanza.from ? ` from ${stanza.from}` : ''
  if (stanza.type === 'error') {
    const condition = stanza.payload('error', NS_CLIENT)?.getChildElements()
      .find(child => child.getNS() === NS_STANZA_ERRORS && child.getName() !== 'text')
    return `${stanza.kind} error ${condition?.getName()}${from}`
  }
  switch (stanza.kind) {
    case 'presence': return `${stanza.type}${from}`
    case 'message': return `${stanza.type}${from}: ${stanza.payload('body', NS_CLIENT)?.text() ?? ''}`
    case 'iq': return push(stanza) ?? `${stanza.type}${from}: ${stanza.children.map(child => child.name).join()}`
  }
}

function push (stanza: Stanza): string | undefined {
  const item = stanza.type === 'set' ? stanza.payload('query', NS_ROSTER)?.getChild('item', NS_ROSTER) : undefined
  return item && `push ${briefItem(item)}`
}

/** A roster item without its name and groups. */
export function briefItem (item: Element): string {
  const { jid, subscription, ask, approved } = item.attrs
  return [jid, subscription, ask && 'asked', approved && 'approved'].filter(word => word !== undefined).join(' ')
}
