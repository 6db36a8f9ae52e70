import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

/** What opens no database, no Redis and no process (`test/groups.test.ts` checks it): `npm run test:unit`. */
export const UNIT = [
  'conformance/runner/**/*.test.ts',
  'extensions/{extensions,stages}.test.ts',
  'extensions/archive/options.test.ts',
  'extensions/{avatars,bookmarks,vcard4}/convert.test.ts',
  'extensions/message-status/status-buffer.test.ts',
  'extensions/offline/undelivered.test.ts',
  'extensions/stream-management/ack-queue.test.ts',
  'src/*.test.ts',
  'src/{admin,config,net,session,util,xml}/**/*.test.ts',
  'src/s2s/finding/*.test.ts',
  'src/s2s/{outgoing,pings,settings,status}.test.ts',
  'src/s2s/queue/unwritten.test.ts',
  'src/s2s/trust/*.test.ts',
  'src/caps/answer.test.ts',
  'src/accounts/{credentials,delivery}.test.ts',
  'src/app/extension-host/*.test.ts',
  'src/cluster/bus/packets.test.ts',
  'src/cluster/membership/rendezvous.test.ts',
  'src/cluster/state/journal.test.ts',
  'src/extension/{order,stages}.test.ts',
  'src/muc/room/{history,rate,role,send-queue}.test.ts',
  'src/muc/context.test.ts',
  'src/roster/{limits,subscription}.test.ts',
  'src/routing/server-requests.test.ts',
  'src/storage/{batches,full-disk}.test.ts',
  'src/stream/{bind2,unread}.test.ts',
  'src/stream/sasl/**/*.test.ts',
  'src/xmpp/{addresses,archive-ids,children,copies,forms,jid,precis}.test.ts',
  'test/{groups,layers,logging}.test.ts',
  'test/support/dns/*.test.ts',
  'test/text-limit/page.test.ts',
]

/** The database, Redis and several nodes, in the test's own process: `npm run test:integration`. */
export const INTEGRATION = ['{src,extensions}/**/*.test.ts']

/** Whole processes and other people's clients: `npm run test:e2e`. */
export const E2E = ['{bench,conformance,test}/**/*.test.ts']

const globalSetup = ['test/support/run/global-setup.ts']

export default defineConfig({
  test: {
    // What Node compiles for one server is there for the next: half of a server's start.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/heliograph') },
    reporters: ['default', './test/support/run/closing-line.ts'],
    maxWorkers: 2,
    // A machine that is busy with other things as well makes a test late, not wrong.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: UNIT } },
      { extends: true, test: { name: 'integration', include: INTEGRATION, exclude: UNIT, globalSetup } },
      { extends: true, test: { name: 'e2e', include: E2E, exclude: UNIT, globalSetup } },
    ],
  },
})
