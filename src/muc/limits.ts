/** Configured limits of rooms. */

export interface MucLimits {
  /** Who may create rooms: all, the accounts of the served hosts that last, or nobody. */
  readonly create: 'anyone' | 'local' | 'nobody'
  /** Sessions in one room at a time. */
  readonly occupants: number
  /** Affiliations of one room: members, admins, owners and outcasts. */
  readonly members: number
  /** Rooms of the service; 0: no limit. */
  readonly rooms: number
  /** Rooms that one account has created; 0: no limit. */
  readonly roomsPerOwner: number
  /** Invitations and registration requests per account and minute; 0: no limit. */
  readonly invitationsPerMinute: number
  /** Messages a second from one account, on average; 0: no limit. */
  readonly occupantMessages: number
  /** Messages a second in a room, on average; 0: no limit. */
  readonly roomMessages: number
  /** Messages of the history that a new occupant is sent, whatever the room's owner configures. */
  readonly history: number
}

export const DEFAULT_LIMITS: MucLimits = {
  create: 'local',
  occupants: 5000,
  members: 10_000,
  rooms: 100_000,
  roomsPerOwner: 100,
  invitationsPerMinute: 60,
  occupantMessages: 0,
  roomMessages: 0,
  history: 100,
}
