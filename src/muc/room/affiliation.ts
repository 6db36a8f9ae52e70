/** XEP-0045 §5.2: affiliations, and who may change them: the section's tables as functions. */
import type { StanzaErrorCondition } from '../../xmpp/errors.ts'
import type { Affiliation } from '../../xmpp/muc.ts'

/** From the least to the most. */
export const AFFILIATIONS: readonly Affiliation[] = ['outcast', 'none', 'member', 'admin', 'owner']

/** The affiliation with this name. */
export function affiliationOf (text: string | undefined): Affiliation | undefined {
  return AFFILIATIONS.find(affiliation => affiliation === text)
}

/** Whether one affiliation equals another or has more privileges (§5.2.1). */
export function isAtLeast (affiliation: Affiliation, least: Affiliation): boolean {
  return AFFILIATIONS.indexOf(affiliation) >= AFFILIATIONS.indexOf(least)
}

/** §5.2.2: why an actor may not change an affiliation; undefined where allowed. */
export function refuseAffiliation (
  actor: Affiliation,
  from: Affiliation,
  to: Affiliation,
): StanzaErrorCondition | undefined {
  if (actor === 'owner') return
  if (actor !== 'admin') return 'forbidden'
  if (isAtLeast(from, 'admin')) return to === 'outcast' ? 'not-allowed' : 'forbidden' // §9.1, §10.4 and §10.7
  if (isAtLeast(to, 'admin')) return 'forbidden' // §10.3 and §10.6
}
