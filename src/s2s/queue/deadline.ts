/** The deadline of an answer from elsewhere. */

/** The answer; rejects where there is none after `ms` milliseconds. What was asked goes on. */
export async function within<T> (ms: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => { late.reject(new Error('there was no answer in time')) }, ms)
  try {
    return await Promise.race([answer, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
