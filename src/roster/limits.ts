/** What one roster holds at most (RFC 6120 §13.12); what one contact holds at most is roster-iq.ts's. */
export interface RosterLimits {
  /** Contacts. */
  readonly items: number
  /** Bytes of what is written of them all, subscriptions aside. */
  readonly bytes: number
}

export const DEFAULT_ROSTER_LIMITS: RosterLimits = { items: 10_000, bytes: 1_000_000 }
