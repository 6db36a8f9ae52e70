/** A full disk, told as what it is to whoever starts the server: system, SQLite and PostgreSQL differ in words. */

const SIGN = /No space left on device|disk quota exceeded|disk is full/i

/** An error for the administrator, where a full disk is behind this one; otherwise the same. */
export function explainFullDisk (error: unknown, dataDir: string): unknown {
  if (!(error instanceof Error)) return error
  const line = error.message.split('\n').find(one => SIGN.test(one))
  if (line === undefined) return error
  const sentence = `the disk is full: make room for the data folder ${dataDir} and start again (${line.trim()})`
  return new Error(sentence, { cause: error })
}
