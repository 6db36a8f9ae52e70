/** Recognises a full disk by the messages of the system, SQLite and PostgreSQL. */

const SIGN = /No space left on device|disk quota exceeded|disk is full/i

/** An error with a sentence for the administrator, if a full disk caused this one; otherwise the same error. */
export function explainFullDisk (error: unknown, dataDir: string): unknown {
  if (!(error instanceof Error)) return error
  const line = error.message.split('\n').find(one => SIGN.test(one))
  if (line === undefined) return error
  const sentence = `the disk is full: make room for the data folder ${dataDir} and start again (${line.trim()})`
  return new Error(sentence, { cause: error })
}
