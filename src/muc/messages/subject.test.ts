/** XEP-0045 §8.1: what a room is about. */
import { describe, expect, test } from 'vitest'
import { configures, COVEN, enters, hears, inside, owner, says } from '../../../test/support/world/rooms.ts'
import { world } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'

describe('the subject (§8.1)', () => {
  test('is changed by who moderates, and by others where they may', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()
    const change = `<message to='${COVEN}' type='groupchat'><subject>Toil</subject></message>`

    await hag.sends(change)
    expect(await hears(hag)).toEqual(['error forbidden'])

    await configures(crone, { changesubject: '1' })
    await crone.received()
    await hag.sends(change)
    expect(await hears(crone)).toEqual(['subject "Toil" by thirdwitch'])
  })

  test('changes before what is said after it', async () => {
    const server = await world()
    const crone = await owner(server)

    await Promise.all([
      crone.sends(`<message to='${COVEN}' type='groupchat'><subject>Toil</subject></message>`),
      says(crone, 'and trouble'),
    ])

    expect(await hears(crone)).toEqual(['subject "Toil" by firstwitch', 'firstwitch: and trouble'])
  })

  test('is not changed by a message that says something else too', async () => {
    const server = await world()
    const crone = await owner(server)

    await crone.sends(
      `<message to='${COVEN}' type='groupchat'><subject>Toil</subject><body>and trouble</body></message>`,
    )

    const hag = await server.client(HAG)
    await enters(hag, 'thirdwitch')
    expect((await hears(hag)).at(-1)).toBe(`subject "" by ${COVEN}`)
  })

  test('is kept with a room that is', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
    await crone.sends(`<message to='${COVEN}' type='groupchat'><subject>Toil</subject></message>`)

    const later = await server.restarts()
    const hag = await later.client(HAG)
    await enters(hag, 'thirdwitch')

    expect((await hears(hag)).at(-1)).toBe('subject "Toil" by firstwitch (before)')
  })
})
