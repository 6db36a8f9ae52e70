/** What follows a new subscription. */
import { Jid } from '../../xmpp/jid.ts'
import type { Context } from '../context.ts'
import { lastItemEvent, subscriptionEvent } from '../events.ts'
import { ownersOf } from '../node.ts'
import type { PubsubNode, Subscription } from '../node.ts'
import { readItems } from '../store.ts'

/** XEP-0060 §6.1.7: the last item, for the subscriber; and news for the owners where the node says `notify_sub`. */
export async function greet ({ engine, db }: Context, node: PubsubNode, { jid, options }: Subscription): Promise<void> {
  const { notifier } = engine.parts
  if (node.config.notify_sub) {
    for (const to of ownersOf(node)) notifier.tell(subscriptionEvent(node, jid, 'subscribed'), Jid.kept(to))
  }
  if (node.config.send_last_published_item === 'never' || !options.deliver) return
  const [last] = (await readItems(db, node, { max: 1 }))?.items ?? []
  if (last) notifier.tell(lastItemEvent(node, last), jid)
}
