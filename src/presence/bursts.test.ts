/** How much somebody is told because of one thing that he did, and how fast. */
import { describe, expect, test } from 'vitest'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'

const JULIET = 'juliet@localhost/balcony'

function large (bytes: number): string {
  return `<status>${'s'.repeat(bytes)}</status>`
}

describe('presence that is larger than others should have to bear (RFC 6120 §13.12)', () => {
  test.each([
    ['to all', `<presence id='p'>${large(16_400)}</presence>`],
    ['to one', `<presence id='p' to='${JULIET}'>${large(16_400)}</presence>`],
    [
      'that asks for a subscription',
      `<presence id='p' type='subscribe' to='juliet@localhost'>${large(16_400)}</presence>`,
    ],
    ['whose id is all of it', `<presence id='p${'x'.repeat(16_400)}'/>`],
    ['at the end', `<presence id='p' type='unavailable'>${large(16_400)}</presence>`],
  ])('is refused: %s', async (_, xml) => {
    const server = await world()
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, JULIET)
    await subscribes(juliet, romeo)
    await romeo.received()
    await juliet.received()

    await romeo.sends(xml)

    const answers = await romeo.received()
    expect(answers).toHaveLength(1)
    expect(answers[0]).toMatch(/^<presence [^>]*type='error'>.*<error [^>]*type='modify'><policy-violation /)
    expect(await juliet.received()).toEqual([])
  })

  test('is passed on where it is just small enough', async () => {
    const server = await world()
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, JULIET)
    await subscribes(juliet, romeo)
    await juliet.received()

    await romeo.sends(`<presence>${large(16_000)}</presence>`)

    expect(await juliet.receivedInBrief()).toEqual(['available from romeo@localhost/orchard'])
  })
})

describe('who comes online', () => {
  test('is told of contacts as fast as it reads, and of all of them', async () => {
    const server = await world()
    const juliet = await online(server, JULIET)
    const names = ['romeo', 'nurse', 'paris']
    for (const name of names) await subscribes(juliet, await online(server, `${name}@localhost/here`))
    juliet.leaves()
    const again = await server.client(JULIET)

    const readsOn = again.hasEnough()
    await again.sends('<presence/>')
    const early = await again.receivedInBrief()
    readsOn()
    await server.idle()

    expect(early).toEqual([`available from ${JULIET}`, 'available from romeo@localhost/here'])
    expect(await again.receivedInBrief()).toEqual([
      'available from nurse@localhost/here',
      'available from paris@localhost/here',
    ])
  })

  test('is told of requests as fast as it reads, and of all of them', async () => {
    const server = await world()
    await server.client(JULIET)
    for (const name of ['romeo', 'nurse', 'paris']) {
      const asker = await online(server, `${name}@localhost/here`)
      await asker.sends("<presence type='subscribe' to='juliet@localhost'/>")
    }
    const again = await server.client('juliet@localhost/garden')

    const readsOn = again.hasEnough()
    await again.sends('<presence/>')
    const early = await again.receivedInBrief()
    readsOn()

    expect(early).toEqual(['available from juliet@localhost/garden', 'subscribe from romeo@localhost'])
    expect(await again.receivedInBrief()).toEqual(['subscribe from nurse@localhost', 'subscribe from paris@localhost'])
  })

  test('is told no more when it has left meanwhile', async () => {
    const server = await world()
    await server.client(JULIET)
    for (const name of ['romeo', 'nurse']) {
      const asker = await online(server, `${name}@localhost/here`)
      await asker.sends("<presence type='subscribe' to='juliet@localhost'/>")
    }
    const again = await server.client('juliet@localhost/garden')
    const readsOn = again.hasEnough()
    await again.sends('<presence/>')

    await again.sends("<presence type='unavailable'/>")
    readsOn()

    expect((await again.receivedInBrief()).filter(one => one.startsWith('subscribe '))).toEqual([
      'subscribe from romeo@localhost',
    ])
  })

  test('is told everything once where it has left meanwhile and come again', async () => {
    const server = await world()
    await server.client(JULIET)
    for (const name of ['romeo', 'nurse', 'paris']) {
      const asker = await online(server, `${name}@localhost/here`)
      await asker.sends("<presence type='subscribe' to='juliet@localhost'/>")
    }
    const again = await server.client('juliet@localhost/garden')
    const readsOn = again.hasEnough()
    await again.sends('<presence/>')
    await again.sends("<presence type='unavailable'/>")
    await again.received()

    await again.sends('<presence/>')
    readsOn()

    expect((await again.receivedInBrief()).filter(one => one.startsWith('subscribe ')))
      .toEqual(['romeo', 'nurse', 'paris'].map(name => `subscribe from ${name}@localhost`))
  })
})
