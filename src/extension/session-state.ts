/** A session's state that belongs to an extension: typed, private, and gone with the session. */
import type { Session } from '../session/session.ts'

export interface SessionState<T> {
  of (session: Session): T
}

/** One value per session, made when it is first asked for. */
export function sessionState<T> (create: (session: Session) => T): SessionState<T> {
  const states = new WeakMap<Session, { readonly value: T }>()
  return {
    of (session) {
      let state = states.get(session)
      if (!state) {
        state = { value: create(session) }
        states.set(session, state)
      }
      return state.value
    },
  }
}
