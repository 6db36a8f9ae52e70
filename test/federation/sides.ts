/** The servers that tests of federation stand between, and the domains of both sides. */
import { afterAll, beforeAll, describe } from 'vitest'
import { Federation, START_MS, whyNoPeers } from './federation.ts'
import { HELIOGRAPH } from './heliograph.ts'
import type { Trust } from './server.ts'

export const OURS = HELIOGRAPH
const OTHERS = ['prosody.example', 'ejabberd.example']

/** Both directions: from ours to each of the others, and from each of the others to ours. */
export const BOTH_WAYS: readonly (readonly [from: string, to: string])[] = OTHERS.flatMap(other => [
  [HELIOGRAPH, other], [other, HELIOGRAPH],
] as const)

const missing = whyNoPeers()
if (missing !== undefined) console.warn(missing)

/** Runs the tests once with certificates and once with dialback, in a federation of all three. */
export function describeFederation (name: string, tests: (federation: () => Federation) => void): void {
  describe.skipIf(missing !== undefined).each<Trust>(['certificate', 'dialback'])(`${name}, by %s`, trust => {
    let federation: Federation

    beforeAll(async () => { federation = await Federation.start(trust, 'heliograph', 'prosody', 'ejabberd') }, START_MS)
    afterAll(() => federation?.[Symbol.asyncDispose]())

    tests(() => federation)
  })
}
