/** What others see of a server that ends in good order. */
import { expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { online } from '../../test/support/world/online.ts'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { world } from '../../test/support/world/world.ts'
import { endSessions } from './drain.ts'

test('contacts of other servers see a user go whose session waits for a resumption', async () => {
  const server = await world([streamManagement, { 'resume-seconds': 600, 'queue': 100 }])
  const other = new RemoteServer(server, 'capulet.example')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await romeo.sendsNonza("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
  await other.sends("<presence from='juliet@capulet.example' to='romeo@localhost' type='subscribe'/>")
  await romeo.sends("<presence type='subscribed' to='juliet@capulet.example'/>")
  romeo.leaves()
  await other.received()

  await endSessions(server.core.accounts)

  expect(await other.receivedInBrief()).toEqual(['juliet@capulet.example: unavailable from romeo@localhost/orchard'])
  expect(server.core.accounts.sessionCount).toBe(0)
})
