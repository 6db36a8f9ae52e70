/** Conversions of accounts' data. */
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { AccountConversion } from './account-conversion.ts'

const ROMEO = Jid.parse('romeo@localhost')
const JULIET = Jid.parse('juliet@localhost')
const host = { log: pino({ level: 'silent' }), when () {} }

function conversionBy (convert: (account: Jid) => Promise<void>): AccountConversion {
  return new AccountConversion(host, { name: 'test', isDue: () => Promise.resolve(false), convert })
}

test('an account is converted once for all changes before that begins, and again for those after', async () => {
  const converted: string[] = []
  const gate = Promise.withResolvers<void>()
  const conversion = conversionBy(async account => {
    converted.push(account.local)
    await gate.promise
  })
  conversion.later(ROMEO)
  for (let n = 0; n < 3; n++) conversion.later(ROMEO)
  conversion.later(JULIET)

  gate.resolve()
  await Promise.all([ROMEO, JULIET].map(account => conversion.settled(account)))

  expect(converted).toEqual(['romeo', 'juliet', 'romeo'])
})

test.each([['fails', new Error('no')], ['is refused', new StanzaError('not-acceptable')]])(
  'a conversion that %s is tried again after the next change', async (_, error) => {
    let runs = 0
    const conversion = conversionBy(() => {
      runs++
      return Promise.reject(error)
    })

    for (let n = 0; n < 2; n++) {
      conversion.later(ROMEO)
      await conversion.settled(ROMEO)
    }

    expect(runs).toBe(2)
  })
