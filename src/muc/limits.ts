/** What the configuration says about rooms: who may make them, and how much of everything there may be. */

export interface MucLimits {
  /** Who may create rooms: all, the accounts of the served hosts that last, or nobody. */
  readonly create: 'anyone' | 'local' | 'nobody'
  /** Sessions in one room at a time. */
  readonly occupants: number
  /** Affiliations that a room has: members, admins, owners and outcasts. */
  readonly members: number
  /** Rooms that there are; 0: no limit. */
  readonly rooms: number
  /** Rooms that one account has made; 0: no limit. */
  readonly roomsPerOwner: number
  /** Invitations, and requests to register, that one account has rooms send in a minute; 0: no limit. */
  readonly invitationsPerMinute: number
  /** Messages a second from one account, on average; 0: no limit. */
  readonly occupantMessages: number
  /** Messages a second in a room, on average; 0: no limit. */
  readonly roomMessages: number
  /** Messages that a newcomer is shown, whatever the room's owner says. */
  readonly history: number
}

export const DEFAULT_LIMITS: MucLimits = {
  create: 'local', occupants: 5000, members: 10_000, rooms: 100_000, roomsPerOwner: 100, invitationsPerMinute: 60, occupantMessages: 0, roomMessages: 0, history: 100,
}
