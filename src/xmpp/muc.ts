/** XEP-0045 §5: what somebody can be in a room. */

/** Lasts (§5.2). */
export type Affiliation = 'outcast' | 'none' | 'member' | 'admin' | 'owner'

/** Of somebody who is in (§5.1); who is not has none. */
export type OccupantRole = 'visitor' | 'participant' | 'moderator'
export type Role = 'none' | OccupantRole
