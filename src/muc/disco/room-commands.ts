/** XEP-0050: ad-hoc commands of rooms. */
import type { ExtensionHost } from '../../extension/host.ts'
import type { RoomCommand, RoomVisitor } from '../../extension/requests.ts'
import { execute, NS_COMMANDS } from '../../routing/commands.ts'
import type { Executable } from '../../routing/commands.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { NS_FORMS } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_ITEMS = 'http://jabber.org/protocol/disco#items'

function executable (command: RoomCommand, visitor: RoomVisitor, from: Jid): Executable {
  if ('report' in command) return { report: () => command.report(visitor, from) }
  return { form: () => command.form(visitor, from), run: values => command.run(values, visitor, from) }
}

export class RoomCommands {
  readonly #byNode = new Map<string, RoomCommand>()

  /** Answers requests for commands. */
  register (host: ExtensionHost): void {
    host.disco.feature(NS_COMMANDS, 'room')
    host.iq({ type: 'set', to: ['room'], name: 'command', ns: NS_COMMANDS }, ({ payload, from }, visitor) => {
      const command = this.#byNode.get(payload.attrs.node ?? '')
      return execute(payload, command && executable(command, visitor, from))
    })
  }

  /** The function that is returned removes the command. */
  add (command: RoomCommand): () => void {
    this.#byNode.set(command.node, command)
    return () => { this.#byNode.delete(command.node) }
  }

  /** §2.2: disco#info of the list or of one command; undefined for another node. */
  info (node: string): Element | undefined {
    const name = this.#byNode.get(node)?.name
    if (node !== NS_COMMANDS && name === undefined) return
    const type = name === undefined ? 'command-list' : 'command-node'
    return el('query', NS_INFO, { node }, el('identity', NS_INFO, { category: 'automation', type, name }),
      [NS_COMMANDS, NS_FORMS].map(feature => el('feature', NS_INFO, { var: feature })))
  }

  /** §2.2: the list, for disco#items. */
  items (room: string): Element {
    return el('query', NS_ITEMS, { node: NS_COMMANDS },
      [...this.#byNode.values()].map(({ node, name }) => el('item', NS_ITEMS, { jid: room, node, name })))
  }
}
