/** Refuses messages whose text is longer than the configured number of characters, and tells clients that number. */
import { z } from 'zod'
import { el, extension, StanzaError } from '../../src/extension/api.ts'

const NS = 'urn:example:text-limit'

export const textLimit = extension({
  name: 'text-limit',
  xeps: [],
  config: z.strictObject({ characters: z.int().min(1).default(5000) }).prefault({}),
  setup (host, { characters }) {
    host.disco.feature(NS)
    host.iq(
      { type: 'get', to: ['server'], name: 'limit', ns: NS },
      () => el('limit', NS, { characters: String(characters) }),
    )
    host.on('send', 'guard', stanza => {
      const text = stanza.kind === 'message' ? stanza.payload('body', 'jabber:client')?.text() ?? '' : ''
      if (text.length <= characters) return
      return new StanzaError('policy-violation', `the text is too long: at most ${characters} characters are allowed`)
    })
  },
})
