/**
 * XEP-0092: Software Version. Answers with the name and version of the server, and its operating system if configured.
 */
import { type } from 'node:os'
import { z } from 'zod'
import { el, extension, VERSION } from '../../src/extension/api.ts'

const NS = 'jabber:iq:version'

export const version = extension({
  name: 'version',
  xeps: ['0092@1.1'],
  config: z.strictObject({ os: z.boolean().default(false) }).prefault({}),
  setup (host, config) {
    host.disco.feature(NS)
    host.disco.feature(NS, 'rooms')
    host.iq({ type: 'get', to: ['server', 'rooms'], name: 'query', ns: NS }, () => el('query', NS, {},
      el('name', NS, {}, 'Heliograph'),
      el('version', NS, {}, VERSION),
      config.os ? el('os', NS, {}, type()) : undefined))
  },
})
