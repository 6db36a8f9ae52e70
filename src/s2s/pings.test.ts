/** What answers to a ping say about the stanzas before it. */
import { expect, test } from 'vitest'
import { ServerRequests } from '../routing/server-requests.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { StanzaErrorCondition } from '../xmpp/errors.ts'
import { errorReply, result } from '../xmpp/stanza.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { Pings } from './pings.ts'

interface Pinged { readonly pings: Pings, answers (how: 'result' | StanzaErrorCondition): Promise<void> }

function pinged (): Pinged {
  const sent: Iq[] = []
  const requests = new ServerRequests(() => {})
  const pings = new Pings(requests, 'us.test', 'them.test', request => { sent.push(request) })
  return {
    pings,
    answers (how) {
      const taken = pings.ping()
      const request = sent.pop()
      if (!request) throw new Error('nothing was sent')
      requests.take(how === 'result' ? result(request) : errorReply(request, new StanzaError(how)) as Iq)
      return taken
    },
  }
}

test('a result says that they were taken', async () => {
  await expect(pinged().answers('result')).resolves.toBeUndefined()
})

test.each(['service-unavailable', 'feature-not-implemented', 'not-allowed', 'forbidden'] as const)(
  'so does %s where a server never answers otherwise', async condition => {
    const { answers } = pinged()

    await expect(answers(condition)).resolves.toBeUndefined()
    await expect(answers(condition)).resolves.toBeUndefined()
  })

test.each(['service-unavailable', 'feature-not-implemented'] as const)(
  '%s says nothing where a server has answered with a result before: it is stopping', async condition => {
    const { answers } = pinged()
    await answers('result')

    await expect(answers(condition)).rejects.toMatchObject({ kind: 'unreachable' })
  })

test.each(['resource-constraint', 'internal-server-error', 'remote-server-timeout', 'recipient-unavailable'] as const)(
  '%s says nothing', async condition => {
    await expect(pinged().answers(condition)).rejects.toMatchObject({ kind: 'unreachable' })
  })
