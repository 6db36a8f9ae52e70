/** The limits of one roster (RFC 6120 §13.12); roster-iq.ts has those of one contact. */
export interface RosterLimits {
  /** Contacts. */
  readonly items: number
  /** Bytes of all contacts as XML, without their subscriptions. */
  readonly bytes: number
}

export const DEFAULT_ROSTER_LIMITS: RosterLimits = { items: 10_000, bytes: 1_000_000 }
