#!/usr/bin/env node
/**
 * Starts src/main.ts, which an older Node could not even parse: to that it says in a sentence how to start. What Node
 * compiles is kept, so that the next start is faster.
 */
import module from 'node:module'
import { fileURLToPath } from 'node:url'

if (Number.parseInt(process.versions.node, 10) < 24) {
  console.error(`Heliograph needs Node 24 or newer, and this is ${process.version}: `
    + 'start it with "npm start" or "npx heliograph", which use the Node that "npm ci" has brought.')
  process.exitCode = 1
} else {
  module.enableCompileCache(fileURLToPath(new URL('node_modules/.cache/heliograph', import.meta.url)))
  await import('./src/main.ts')
}
