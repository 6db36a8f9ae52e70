/** What a server makes of a message that holds nothing but some payload: whether it is kept, and copied. */
import type { Extension } from '../../../src/extension/api.ts'
import { online } from './online.ts'
import { world } from './world.ts'

/** Sends it to somebody, with the archive and carbons on; each side has a second device. */
export async function worthOf (
  content: string,
  ...extensions: readonly Extension[]
): Promise<{ isKept: boolean, isCopied: boolean }> {
  const server = await world(...extensions)
  const laptop = await online(server, 'romeo@localhost/laptop')
  const phone = await online(server, 'romeo@localhost/phone')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await phone.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")

  await laptop.sends(`<message to='juliet@localhost/balcony' id='m1'>${content}</message>`)

  await juliet.received()
  const rows = await server.db.query<{ owner: string }>('select owner from archive_message')
  return { isKept: rows.length === 2, isCopied: (await phone.received()).some(xml => xml.includes('<sent ')) }
}
