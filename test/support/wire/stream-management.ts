/** What clients send in this extension's tests, and archives that keep nothing. */
import { extension } from '../../../src/extension/api.ts'
import type { Extension } from '../../../src/extension/api.ts'

export const NS = 'urn:xmpp:sm:3'
export const ENABLE = `<enable xmlns='${NS}' resume='true'/>`
export const REQUEST = `<r xmlns='${NS}'/>`
export const PING = "<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"

/** As long a session waits for its client where a test says nothing else. */
export const PATIENCE_MS = 600_000

export function ack (h: number): string {
  return `<a xmlns='${NS}' h='${h}'/>`
}

export function resume (id: string, h: number): string {
  return `<resume xmlns='${NS}' previd='${id}' h='${h}'/>`
}

/** What these tests need of a client. */
export interface Enabling {
  sendsNonza (xml: string): Promise<void>
  received (): Promise<readonly string[]>
}

/** Enables stream management and gives the id for a resumption. */
export async function enables (client: Enabling, request = ENABLE): Promise<string> {
  await client.received()
  await client.sendsNonza(request)
  const [answer = ''] = await client.received()
  return /id='([^']*)'/.exec(answer)?.[1] ?? ''
}

/** An archive that forgets. */
export const keeper = extension({
  name: 'keeper', xeps: [],
  setup (host) {
    let last = 0
    host.on('receive', 'store', () => ({ number: String(++last), committed: Promise.resolve() }))
  },
})

/** One that takes its time over what is sent. */
export function slowKeeper (...commits: readonly Promise<void>[]): Extension {
  return extension({
    name: 'slow-keeper', xeps: [],
    setup (host) {
      let next = 0
      host.on('send', 'store', () => {
        const committed = commits[next++]
        return committed && { number: String(next), committed }
      })
    },
  })
}
