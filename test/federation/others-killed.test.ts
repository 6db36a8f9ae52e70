/** What our server has acknowledged reaches Prosody and ejabberd, whoever is killed meanwhile. */
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { introduce, print, whileTalking } from '../faults/load.ts'
import type { Figures, Pair } from '../faults/load.ts'
import { Federation, START_MS, whyNoPeers } from './federation.ts'
import { HELIOGRAPH } from './heliograph.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1)
const PAUSE_MS = 1000

const missing = whyNoPeers()
if (missing !== undefined) console.warn(missing)

/** ejabberd forgets accounts and messages of the last minutes when it is killed: there only ours is. */
const CASES = [['prosody', true], ['ejabberd', false]] as const

describe.skipIf(missing !== undefined)('kill -9 under load', () => {
  test.for(CASES)('loses nothing for %s', { timeout: START_MS * (1 + ROUNDS) }, async ([kind, isKilled]) => {
    await using federation = await Federation.start('certificate', 'heliograph', kind)
    const [ours, theirs] = [federation.server(HELIOGRAPH), federation.server(`${kind}.example`)]
    const talk: Pair[] = []
    for (const number of [0, 1]) {
      talk.push(await introduce({ jid: `romeo${number}@${ours.domain}`, port: ours.place.ports.client },
        { jid: `juliet${number}@${theirs.domain}`, port: theirs.place.ports.client }, { pauseMs: 30 }))
    }

    const figures = await whileTalking(talk, async () => {
      for (const server of Array.from({ length: ROUNDS }).flatMap(() => isKilled ? [theirs, ours] : [ours])) {
        await setTimeout(PAUSE_MS)
        await server.kill()
        await setTimeout(PAUSE_MS)
        await server.start()
      }
      await setTimeout(PAUSE_MS)
    })

    const lost = talk.flatMap(pair => neitherReceivedNorKept(pair, figures))
    print(`kill -9 beside ${kind}`, { killed: ROUNDS * (isKilled ? 2 : 1), missing: lost.length }, figures)
    expect(lost).toEqual([])
    expect(figures.wrong).toEqual([])
    expect(figures.acknowledged).toBeGreaterThan(0)
    expect(figures.acknowledged).toBe(figures.sent)
  })
})

/** The other server may forget to whom it has delivered, or deliver from its archive only. */
function neitherReceivedNorKept ({ sender, receiver }: Pair, { lost }: Figures): readonly string[] {
  const reported = new Set(lost)
  return [...sender.acknowledged].filter(id => reported.has(`${id} is not kept for ${sender.account.jid}`) ||
    (reported.has(`${id} was not received`) && reported.has(`${id} is not kept for ${receiver.account.jid}`)))
}
