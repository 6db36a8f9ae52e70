/** A stage that chooses the sessions for a message. */
import { expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import { extension, StanzaError } from '../extension/api.ts'

const redirect = extension({
  name: 'redirect', xeps: [],
  setup (host) {
    host.on('receive', 'redirect', (_message, { sessions }) => sessions)
    // Each commit is its own, and fails, the first one first.
    let last = 0
    host.on('receive', 'store', () => ({ number: String(++last), committed: failsAfter(last) }))
  },
})

async function failsAfter (turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise(resolve => { setImmediate(resolve) })
  throw new StanzaError('internal-server-error')
}

test("a message whose copies can't be stored is refused, whichever of them fails first", async () => {
  const server = await world(redirect)
  const romeo = await online(server, 'romeo@localhost/orchard')
  for (const device of ['balcony', 'chamber', 'garden']) await online(server, `juliet@localhost/${device}`)

  const sent = romeo.sends("<message type='chat' to='juliet@localhost'><body>Art thou not Romeo?</body></message>")

  await expect(sent).rejects.toThrow('internal-server-error')
})
