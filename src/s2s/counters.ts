/** What has happened between servers since the start, as plain numbers. */

export class Counters {
  /** Pairs that were proven on a stream. */
  proven = 0
  /** Stanzas of streams that are over; those of open ones are in their pairs. */
  received = 0
  sent = 0
  /** Messages and subscriptions that other servers have taken, and those that went back to their senders. */
  confirmed = 0
  givenBack = 0
}
