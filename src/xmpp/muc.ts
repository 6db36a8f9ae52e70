/** XEP-0045 §5: affiliations and roles. */

/** The long-lived relation of a user to a room (§5.2). */
export type Affiliation = 'outcast' | 'none' | 'member' | 'admin' | 'owner'

/** The role of an occupant (§5.1); other users have none. */
export type OccupantRole = 'visitor' | 'participant' | 'moderator'
export type Role = 'none' | OccupantRole
