/** The deadline of an answer from elsewhere. */

/** The answer; rejects with the error of `late` where there is none after `ms` milliseconds. What was asked goes on. */
export async function within<T> (
  ms: number, answer: Promise<T>, late: () => Error = () => new Error('there was no answer in time'),
): Promise<T> {
  const passed = Promise.withResolvers<never>()
  const timer = setTimeout(() => { passed.reject(late()) }, ms)
  try {
    return await Promise.race([answer, passed.promise])
  } finally {
    clearTimeout(timer)
  }
}
