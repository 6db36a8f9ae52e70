/** RFC 6120 §4.8.5: clients may give their content namespace a prefix; whom they write to never sees it. */
import { expect, test } from 'vitest'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'

const CLIENT = "xmlns:c='jabber:client'"

test('a body with a prefix comes as one without', async () => {
  const server = await world()
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')

  await romeo.sends(
    `<message ${CLIENT} to='juliet@localhost' type='chat'><c:body>hello</c:body><x xmlns='urn:x'><c:y/></x></message>`,
  )

  const [message] = await juliet.received()
  expect(message).toContain("<body>hello</body><x xmlns='urn:x'><y xmlns='jabber:client'/></x>")
})

test('so do the status and the priority of presence, which are understood', async () => {
  const server = await world()
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await subscribes(juliet, romeo)
  await juliet.received()

  await romeo.sends(`<presence ${CLIENT}><c:status>away</c:status><c:priority>-5</c:priority></presence>`)

  expect((await juliet.received())[0]).toContain('<status>away</status><priority>-5</priority>')
  expect(romeo.session.priority).toBe(-5)
})
