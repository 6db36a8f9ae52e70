/** State of an extension for each session: typed, private to the extension, and gone with the session. */
import type { SessionView } from './views.ts'

export interface SessionState<T> {
  of (session: SessionView): T
}

/** One value per session, created at its first use. */
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
