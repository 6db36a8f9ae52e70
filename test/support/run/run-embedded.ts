/** For tests, as a process: runs the embedded PostgreSQL of a data folder, prints its address, ends with stdin. */

import { text } from 'node:stream/consumers'
import { pino } from 'pino'
import { lockDataFolder } from '../../../src/storage/data-lock.ts'
import { startEmbedded } from '../../../src/storage/embedded.ts'

const data = await lockDataFolder(process.argv[2] ?? '')
const postgres = await startEmbedded(data, pino({ level: 'silent' }))
console.log(postgres.url)
await text(process.stdin)
await postgres.stop()
await data.release()
