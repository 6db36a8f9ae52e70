/** Large answers count against the rate of who asked for them (RFC 6120 §13.12). */
import { expect, test } from 'vitest'
import { vcard } from '../../extensions/vcard/index.ts'
import { world } from '../../test/support/world/world.ts'

const GET = "<vCard xmlns='vcard-temp'/>"
const CARD = `<vCard xmlns='vcard-temp'><NOTE>${'n'.repeat(200_000)}</NOTE></vCard>`

test('who asks for a large vCard is charged a tenth of it, whosever it is', async () => {
  const server = await world(vcard)
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  await romeo.asks('set', CARD)

  await juliet.asks('get', GET, 'romeo@localhost')

  expect(juliet.charged).toBeGreaterThan(18_000)
  expect(juliet.charged).toBeLessThan(20_000)
  expect(romeo.charged).toBe(0)
})

test('what was not asked for is not charged, nor a small answer, nor any answer twice', async () => {
  const server = await world(vcard)
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.sends(`<iq type='get' id='1' to='${romeo.session.jid}'>${GET}</iq>`)

  for (const id of ['2', '3']) await romeo.sends(`<iq type='result' id='${id}' to='${juliet.session.jid}'>${CARD}</iq>`)
  expect(juliet.charged).toBe(0)
  await romeo.sends(`<iq type='result' id='1' to='${juliet.session.jid}'>${GET}</iq>`)
  await romeo.sends(`<iq type='result' id='1' to='${juliet.session.jid}'>${CARD}</iq>`)

  expect(juliet.charged).toBe(0)
})
