/** A session's state that belongs to an extension: typed, private, and gone with the session. */
import type { SessionView } from './views.ts'

export interface SessionState<T> {
  of (session: SessionView): T
}

/** One value per session, made when it is first asked for. */
export function sessionState<T> (create: (session: SessionView) => T): SessionState<T> {
  const states = new WeakMap<SessionView, { readonly value: T }>()
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
