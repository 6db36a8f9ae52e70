/**
 * XEP-0050: Ad-Hoc Commands, for actions without a protocol of their own. A client finds the commands among the
 * account's items (XEP-0030), submits one form, and gets a note with the result.
 */
import type { ExtensionHost } from '../extension/host.ts'
import type { Command, IqRequest } from '../extension/requests.ts'
import type { SessionView } from '../extension/views.ts'
import { randomId } from '../util/ids.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { formValues, NS_FORMS } from '../xmpp/forms.ts'
import type { Disco } from './disco.ts'

export const NS_COMMANDS = 'http://jabber.org/protocol/commands'

export class Commands {
  readonly #byNode = new Map<string, Command>()
  readonly #disco: Disco

  constructor (disco: Disco) {
    this.#disco = disco
  }

  /** Registers the handler of commands. */
  register (host: ExtensionHost): void {
    host.iq({ type: 'set', to: ['own-account'], name: 'command', ns: NS_COMMANDS },
      (request, session) => this.#execute(request, session))
  }

  /** Adds a command; the returned function removes it. */
  add (command: Command): () => void {
    const { node, name } = command
    if (this.#byNode.size === 0) this.#list()
    this.#byNode.set(node, command)
    const forget = this.#disco.addNode(node, {
      identity: { category: 'automation', type: 'command-node', name }, features: [NS_COMMANDS, NS_FORMS],
    })
    return () => {
      this.#byNode.delete(node)
      forget()
    }
  }

  // §2.2.
  #list (): void {
    this.#disco.addFeature(NS_COMMANDS, 'account')
    this.#disco.addNode(NS_COMMANDS, {
      identity: { category: 'automation', type: 'command-list' }, features: [NS_COMMANDS],
      items: () => [...this.#byNode.values()].map(({ node, name }) => ({ node, name })),
    })
  }

  #execute ({ payload }: IqRequest, session: SessionView): Promise<Element> {
    const command = this.#byNode.get(payload.attrs.node ?? '')
    return execute(payload, command && { form: () => command.form, run: values => command.run(values, session) })
  }
}

/** A command for one sender: with one form to fill in, or with a result at once. */
export type Executable = {
  form (): Element
  /** Executes it; returns the note that clients show. */
  run (values: ReadonlyMap<string, readonly string[]>): Promise<string>
} | { report (): Element }

/** Answers a request for a command, or throws item-not-found where there is none. */
export async function execute (payload: Element, command: Executable | undefined): Promise<Element> {
  const { node, action = 'execute', sessionid = randomId() } = payload.attrs
  if (!command) throw new StanzaError('item-not-found')
  const answer = (status: string, content?: Element, more?: Element): Element =>
    el('command', NS_COMMANDS, { node, sessionid, status }, content, more)
  if (action === 'cancel') return answer('canceled')
  if (!['execute', 'complete', 'next'].includes(action)) {
    throw new StanzaError('bad-request', undefined, { name: 'bad-action', ns: NS_COMMANDS }) // §4.4
  }
  if ('report' in command) return answer('completed', command.report())
  const filled = payload.getChild('x', NS_FORMS)
  if (!filled) {
    const actions = el('actions', NS_COMMANDS, { execute: 'complete' }, el('complete', NS_COMMANDS))
    return answer('executing', actions, command.form())
  }
  return answer('completed', el('note', NS_COMMANDS, { type: 'info' }, await command.run(formValues(filled))))
}
