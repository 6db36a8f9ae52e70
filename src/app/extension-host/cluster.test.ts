/** What extensions tell the same extension on another node: notes for the next owner, and requests. */
import fc from 'fast-check'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { Fields, Note } from '../../extension/points.ts'
import { StageTable } from '../../extension/stages.ts'
import { Account } from '../../session/account.ts'
import { EventTable } from '../../session/events.ts'
import type { SavedNote } from '../../session/homes.ts'
import { ReplicatedStates } from '../../session/replicated-states.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { OthersAnswer, Parts, PartsCluster } from '../parts.ts'
import { clusterFacet } from './cluster.ts'

const log = pino({ level: 'silent' })
const name = 'x'
const NOTHING = Buffer.alloc(0)

const field = fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\n'))
const fieldsAndBody = fc.tuple(fc.array(field, { minLength: 1 }), fc.uint8Array().map(bytes => Buffer.from(bytes)))

/** An extension's facet on a node whose notes go nowhere else, and whose requests come back to itself. */
function alone () {
  const replicated = new ReplicatedStates(new StageTable(log), new EventTable(log))
  const notes: SavedNote[] = []
  const answerers = new Map<string, OthersAnswer>()
  const cluster = {
    records: {
      append: (_account: Account, _extension: string, about: string, body = NOTHING) => {
        notes.push({ about, body })
      },
    },
    others: {
      ask: async (from: string, extension: string, text: string, body = NOTHING) =>
        answerers.get(extension)?.(from, text, body),
    },
  }
  // What the facet uses of them.
  const parts = { replicated, answerers, hosts: ['localhost'] } as unknown as Parts
  return { replicated, notes, facet: clusterFacet({ name, parts, undo: [] }, cluster as unknown as PartsCluster) }
}

test('the next owner of an account is given what was noted, field by field and in order', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fieldsAndBody), async noted => {
    const { replicated, notes, facet } = alone()
    const account = new Account(Jid.parse('juliet@localhost'))
    const found: Note[] = []
    const note = facet.replicate<string, Fields>({
      save: () => 'saved',
      restore (_account, saved, since) { if (saved === 'saved') found.push(...since) },
    })

    for (const [fields, body] of noted) note(account, fields, body)
    await replicated.restore(account, { ...replicated.snapshot(account), notes: { [name]: notes } })

    expect(found).toEqual(noted.map(([fields, body]) => ({ fields, body })))
  }))
})

test('another node is asked what an extension asks, field by field', async () => {
  await fc.assert(fc.asyncProperty(fieldsAndBody, async ([fields, body]) => {
    const { facet } = alone()
    const asked: unknown[] = []
    facet.answer((from, request, about) => {
      asked.push(from, request, about)
      return 'done'
    })

    const answer = await facet.ask('b', fields, body)

    expect(answer).toBe('done')
    expect(asked).toEqual(['b', fields, body])
  }))
})
