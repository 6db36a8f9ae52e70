/** XEP-0045 §5: the tables of roles and affiliations, cell by cell. */
import type { Affiliation, OccupantRole, Role } from '../../xmpp/muc.ts'
import { describe, expect, test } from 'vitest'
import { AFFILIATIONS, isAtLeast, refuseAffiliation } from './affiliation.ts'
import { defaultRole, hasVoice, OCCUPANT_ROLES, refuseRole, roleAfter } from './role.ts'

test.each<[Affiliation, OccupantRole, OccupantRole]>([
  ['none', 'visitor', 'participant'],
  ['member', 'participant', 'participant'],
  ['admin', 'moderator', 'moderator'],
  ['owner', 'moderator', 'moderator'],
])('who is %s comes into a moderated room as %s, into another as %s (§5.1.2)', (affiliation, moderated, open) => {
  expect([defaultRole(affiliation, true), defaultRole(affiliation, false)]).toEqual([moderated, open])
})

test.each<[Role, boolean, boolean]>([
  ['none', false, false], ['visitor', false, true], ['participant', true, true], ['moderator', true, true],
])('%s has voice in a moderated room: %s, in another: %s (§5.1.1)', (role, moderated, open) => {
  expect([hasVoice(role, true), hasVoice(role, false)]).toEqual([moderated, open])
})

describe('affiliations are changed (§5.2.2)', () => {
  // Rows: what somebody is. Columns: what he is to be. In each: what admins are told; owners may.
  const ofAdmins: Readonly<Record<Affiliation, Readonly<Record<Affiliation, string>>>> = {
    outcast: { outcast: '', none: '', member: '', admin: 'forbidden', owner: 'forbidden' },
    none: { outcast: '', none: '', member: '', admin: 'forbidden', owner: 'forbidden' },
    member: { outcast: '', none: '', member: '', admin: 'forbidden', owner: 'forbidden' },
    admin: { outcast: 'not-allowed', none: 'forbidden', member: 'forbidden', admin: 'forbidden', owner: 'forbidden' },
    owner: { outcast: 'not-allowed', none: 'forbidden', member: 'forbidden', admin: 'forbidden', owner: 'forbidden' },
  }

  test.each(AFFILIATIONS)('from %s', from => {
    for (const to of AFFILIATIONS) {
      expect([from, to, refuseAffiliation('owner', from, to)]).toEqual([from, to, undefined])
      expect([from, to, refuseAffiliation('admin', from, to) ?? '']).toEqual([from, to, ofAdmins[from][to]])
      for (const actor of ['outcast', 'none', 'member'] as const)
        expect(refuseAffiliation(actor, from, to)).toBe('forbidden')
    }
  })
})

describe('roles follow affiliations (§5.1.3)', () => {
  test.each(OCCUPANT_ROLES)('from %s', role => {
    for (const isModerated of [false, true]) {
      expect(roleAfter(role, 'none', 'admin', isModerated)).toBe('moderator')
      expect(roleAfter(role, 'admin', 'owner', isModerated)).toBe('moderator')
      expect(roleAfter(role, 'none', 'member', isModerated)).toBe(role === 'visitor' ? 'participant' : role)
      expect(roleAfter(role, 'member', 'none', isModerated)).toBe(role)
      expect(roleAfter(role, 'admin', 'none', isModerated)).toBe(isModerated ? 'visitor' : 'participant')
      expect(roleAfter(role, 'owner', 'member', isModerated)).toBe('participant')
    }
  })
})

describe('roles are changed (§5.1.3)', () => {
  const subjects = OCCUPANT_ROLES.flatMap(role => AFFILIATIONS.slice(1).map(affiliation => ({ role, affiliation })))

  test.each(['none', 'visitor', 'participant'] as const)('never by who is %s', role => {
    for (const subject of subjects) {
      for (const to of ['none', ...OCCUPANT_ROLES] as const)
        expect(refuseRole({ role, affiliation: 'member' }, subject, to)).toBe('forbidden')
    }
  })

  test.each(['none', 'member', 'admin', 'owner'] as const)('by a moderator who is %s', affiliation => {
    const actor = { role: 'moderator', affiliation } as const
    const isAdmin = affiliation === 'admin' || affiliation === 'owner'
    for (const subject of subjects) {
      const isOfAdmins = isAtLeast(subject.affiliation, 'admin')
      const isHigher = !isAtLeast(affiliation, subject.affiliation)
      // §8.2: nobody of a higher affiliation; a moderator by an admin or owner.
      expect([subject, refuseRole(actor, subject, 'none')])
        .toEqual([subject, isHigher || (subject.role === 'moderator' && !isAdmin) ? 'not-allowed' : undefined])
      // §9.6.
      expect(refuseRole(actor, subject, 'moderator')).toBe(isAdmin ? undefined : 'forbidden')
      // §8.4 and §9.7: never from an admin or owner.
      if (isOfAdmins) {
        expect([refuseRole(actor, subject, 'visitor'), refuseRole(actor, subject, 'participant')]).toEqual([
          'not-allowed',
          'not-allowed',
        ])
      } else if (subject.role === 'moderator') {
        expect(refuseRole(actor, subject, 'participant')).toBe(isAdmin ? undefined : 'forbidden')
      } else {
        expect(refuseRole(actor, subject, 'participant')).toBeUndefined()
        const isAsMuch = subject.affiliation === 'member' && !isAdmin
        expect([subject, refuseRole(actor, subject, 'visitor')]).toEqual([
          subject,
          isAsMuch ? 'not-allowed' : undefined,
        ])
      }
    }
  })
})
