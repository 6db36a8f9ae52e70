/** Stanzas for accounts at home elsewhere: each is dealt with once, in order, wherever the home turns out to be. */
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { NodeGone } from '../cluster/bus/bus.ts'
import type { Homes } from './homes.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { message, presence } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { el } from '../xml/element.ts'
import { Forwarding } from './forwarding.ts'

const JULIET = 'juliet@localhost'
const TO = Jid.parse(JULIET)

type Answer = PromiseWithResolvers<boolean> | undefined

/** The other nodes as one sees them: what they are handed, until a test answers. */
function start (most?: number, each?: number) {
  const handed: { readonly to: string, readonly stanza: string, readonly answer: PromiseWithResolvers<boolean> }[] = []
  const happened: string[] = []
  const name = (stanza: Stanza): string => stanza.id ?? stanza.type ?? ''
  const homes: Pick<Homes, 'incarnation' | 'forward' | 'forget' | 'confirmRefusal'> = {
    incarnation: 'a.1',
    forget: account => { happened.push(`forget ${account}`) },
    confirmRefusal: node => { happened.push(`refused by ${node}`) },
    forward (to, stanza) {
      const answer = Promise.withResolvers<boolean>()
      handed.push({ to, stanza: name(stanza), answer })
      return answer.promise
    },
  }
  const forwarding = new Forwarding(homes,
    (_account, all) => {
      for (const { stanza, done } of all) {
        happened.push(`again ${name(stanza)}`)
        done.resolve()
      }
    },
    async (stanza, { condition, type }) => { happened.push(`${condition} ${type} ${name(stanza)}`) }, most, each)
  const says = (id: string, node = 'b', account = JULIET): Promise<void> =>
    forwarding.send(node, account, message('chat', { to: TO, id }, el('body', undefined, {}, id)))
      .then(() => { happened.push(`done ${id}`) })
  return { forwarding, handed, happened, says, answers: (at: number) => handed[at]?.answer }
}

test('each is handed over at once, and done when its home has dealt with it', async () => {
  const { handed, happened, says, answers } = start()

  void says('1')
  void says('2')
  answers(1)?.resolve(true)
  await setImmediate()
  answers(0)?.resolve(true)
  await setImmediate()

  expect(handed.map(({ to, stanza }) => `${stanza} to ${to}`)).toEqual(['1 to b', '2 to b'])
  expect(happened).toEqual(['done 2', 'done 1'])
})

test.each([
  ['is not its home any more', (answer: Answer) => { answer?.resolve(false) }, ['refused by b']],
  ['is gone', (answer: Answer) => { answer?.reject(new NodeGone('b')) }, []],
])('where that node %s all that went to the account goes again, in order, and once', async (_, fail, heard) => {
  const { happened, says, answers } = start()
  void says('1')
  void says('2')
  void says('3')
  void says('other', 'b', 'nurse@localhost')

  answers(0)?.resolve(true)
  await setImmediate()
  fail(answers(1))
  await setImmediate()
  fail(answers(2))
  await setImmediate()

  expect(happened).toEqual([
    'done 1', `forget ${JULIET}`, ...heard, 'again 2', 'again 3', 'done 2', 'done 3',
  ])
})

test('presence goes again too: an end that is never heard of would leave a contact online', async () => {
  const { forwarding, happened, answers } = start()
  void forwarding.send('b', JULIET, presence('unavailable', { to: TO }))

  answers(0)?.resolve(false)
  await setImmediate()

  expect(happened).toContain('again unavailable')
})

test('who sent what can\'t be handed over is told, and the rest goes its way', async () => {
  const { happened, says, answers } = start()
  void says('1')
  void says('2')

  answers(0)?.reject(new StanzaError('remote-server-timeout'))
  await setImmediate()
  answers(1)?.resolve(true)
  await setImmediate()

  expect(happened).toEqual(['remote-server-timeout wait 1', 'done 1', 'done 2'])
})

test('a message that nothing tells from another like it goes again as what it was', async () => {
  const handed: (string | undefined)[] = []
  const homes: Pick<Homes, 'incarnation' | 'forward' | 'forget' | 'confirmRefusal'> = {
    incarnation: 'a.1', forget () {}, confirmRefusal () {},
    async forward (_, stanza) {
      handed.push(stanza.dedupKey)
      if (handed.length === 1) throw new NodeGone('b')
      return true
    },
  }
  const forwarding = new Forwarding(homes, (_account, all) => {
    for (const { stanza, done } of all) done.resolve(forwarding.send('c', JULIET, stanza))
  }, () => {})
  const twin = (): Stanza => message('chat', { to: TO }, el('body', undefined, {}, 'hail'))

  await forwarding.send('b', JULIET, twin())
  await forwarding.send('c', JULIET, twin())
  await forwarding.send('c', JULIET, twin().withDedupKey('its own'))

  expect(handed).toEqual(['a.1/0', 'a.1/0', 'a.1/1', 'its own'])
})

test('what comes while something is under way goes behind it, wherever home is by then', async () => {
  const { forwarding, handed, happened, says, answers } = start()
  void says('1')

  void forwarding.behind(JULIET, message('chat', { to: TO, id: '2' }, el('body', undefined, {}, '2')))
  answers(0)?.resolve(false)
  await setImmediate()

  expect(handed.map(({ to, stanza }) => `${stanza} to ${to}`)).toEqual(['1 to b', '2 to b'])
  expect(happened).toEqual([`forget ${JULIET}`, 'refused by b', 'again 1', 'again 2', 'done 1'])
  expect(forwarding.behind(JULIET, message('chat', { to: TO, id: '3' }))).toBeUndefined()
})

test('what comes after a failure is not held up by it', async () => {
  const { handed, says, answers } = start()
  void says('1')
  answers(0)?.reject(new NodeGone('b'))
  await setImmediate()

  void says('2', 'c')

  expect(handed.map(({ to, stanza }) => `${stanza} to ${to}`)).toEqual(['1 to b', '2 to c'])
})

const FROM = (sender: string, id: string): Stanza =>
  message('chat', { from: Jid.parse(`${sender}@localhost/x`), to: TO, id }, el('body', undefined, {}, 'b'.repeat(10)))

test('who has sent as much as may wait for a home that does not answer is told, and nobody else', async () => {
  const { forwarding, handed, happened } = start(1000, 30)
  const send = (sender: string, id: string, to = JULIET): void => { void forwarding.send('b', to, FROM(sender, id)) }

  for (const id of ['1', '2', '3', '4']) send('mallory', id)
  send('mallory', '5', 'nurse@localhost')
  send('romeo', '6')
  await setImmediate()

  expect(happened).toEqual(['resource-constraint wait 4', 'resource-constraint wait 5'])
  expect(handed.map(({ stanza }) => stanza)).toEqual(['1', '2', '3', '6'])
})

test('what has been dealt with, or goes another way, does not wait any more', async () => {
  const { forwarding, handed, happened, answers } = start(1000, 30)
  const send = (id: string): void => { void forwarding.send('b', JULIET, FROM('mallory', id)) }
  for (const id of ['1', '2']) send(id)
  answers(0)?.resolve(true)
  answers(1)?.resolve(false)
  await setImmediate()

  for (const id of ['3', '4']) send(id)
  await setImmediate()

  expect(happened).toEqual([`forget ${JULIET}`, 'refused by b', 'again 2'])
  expect(handed.map(({ stanza }) => stanza)).toEqual(['1', '2', '3', '4'])
})

test('what a room says to all, and the end of a presence, go however much waits', async () => {
  const { forwarding, handed } = start(1000, 30)
  for (const id of ['1', '2', '3', '4']) void forwarding.send('b', JULIET, FROM('mallory', id))

  void forwarding.send('b', JULIET, FROM('mallory', 'copy').copyFor(TO))
  void forwarding.send('b', JULIET, presence('unavailable', { from: Jid.parse('mallory@localhost/x'), to: TO }))
  await setImmediate()

  expect(handed.map(({ stanza }) => stanza)).toEqual(['1', '2', '3', 'copy', 'unavailable'])
})
