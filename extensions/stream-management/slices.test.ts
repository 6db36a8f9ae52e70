/** What sessions have not acknowledged is dealt with in slices: others have their turn in between. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { iq } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, ReplicatedState, SessionView } from '../../src/extension/api.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { AckQueue } from './ack-queue.ts'
import { rerouteUnacked } from './give-back.ts'
import { replicateSessions } from './replicate.ts'

const SLOW_MS = 10
const IQ = iq('result', {
  from: Jid.parse('romeo@localhost/orchard'),
  to: Jid.parse('juliet@localhost/balcony'),
  id: 'one',
})

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  await new Promise(resolve => { setImmediate(resolve) }) // the slice of what was before is over
})
afterEach(() => { vi.useRealTimers() })

/** What happens, in order: some slow steps, and a turn of somebody else's. */
function happenings (): { readonly all: string[], readonly step: () => void } {
  const all: string[] = []
  setImmediate(() => { all.push('other') })
  const step = (): void => {
    all.push('step')
    vi.advanceTimersByTime(SLOW_MS)
  }
  return { all, step }
}

test('the stanzas that a session leaves are rerouted in slices', async () => {
  const { all, step } = happenings()
  const host = { messages: { bounce: step } } as unknown as ExtensionHost
  const sent = Array.from({ length: 3 }, () => ({ stanza: IQ, at: 0, siblingSessions: [] }))

  await rerouteUnacked(host, {} as AccountView, sent)

  expect(all).toHaveLength(4)
  expect(all.at(-1)).toBe('step')
})

test('the stanzas of sessions that come from another node are taken up in slices', async () => {
  const { all, step } = happenings()
  let state: ReplicatedState | undefined
  const host = { cluster: { replicate (given: ReplicatedState) { state = given } } } as unknown as ExtensionHost
  const session = { deliver: step } as unknown as SessionView
  const queue = new AckQueue()
  replicateSessions(host, new Map(), () => {})
  const waiting = Array.from({ length: 3 }, () => ({ at: 0, xml: IQ.toXml() }))

  await state?.restore({ session: () => session } as unknown as AccountView, [
    { resource: 'balcony', id: 'id', seconds: 600, handled: 0, acknowledged: queue.acknowledged, waiting },
  ], [])

  expect(all).toHaveLength(4)
  expect(all.at(-1)).toBe('step')
})
