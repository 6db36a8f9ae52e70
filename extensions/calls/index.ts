/**
 * What calls need of a server. XEP-0353: Jingle Message Initiation: its messages are archived, copied, and wake a
 * phone. XEP-0215: External Service Discovery: clients are told of STUN and TURN servers, with credentials for a while.
 */
import { z } from 'zod'
import { extension } from '../../src/extension/api.ts'
import { service } from './service.ts'
import { answerServices } from './services.ts'

export const calls = extension({
  name: 'calls',
  xeps: ['0353@0.8.0', '0215@1.0.0'],
  config: z.strictObject({ services: z.array(service).max(50).default([]) }).prefault({}),
  setup (host, { services }) {
    host.messages.declarePolicy('urn:xmpp:jingle-message:0', { archive: true, carbon: true, push: true })
    if (services.length > 0) answerServices(host, services)
  },
})
