/** Passwords from standard input: read as a line, or typed without echo. */
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { UsageError } from './command.ts'

/** Standard input without the end of its line. */
export async function readPassword (): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, '')
}

/** Asks twice on the terminal; rejects where there is none. */
export async function askNewPassword (whose: string): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('there is no terminal to ask for a password: use --password-stdin')
  const password = await ask(`Password for ${whose}: `)
  if (await ask('The same again: ') !== password) throw new Error('the two passwords differ')
  return password
}

const ENTER = /[\r\n\u0004]/
const INTERRUPT = '\u0003'
const ERASE = /[^\b\u007f]?[\b\u007f]/u

async function ask (question: string): Promise<string> {
  process.stdin.setRawMode(true).setEncoding('utf8').resume()
  process.stderr.write(question)
  try {
    let typed = ''
    while (!ENTER.test(typed)) {
      const [keys] = await once(process.stdin, 'data') as [string]
      if (keys.includes(INTERRUPT)) throw new Error('interrupted')
      typed += keys
      while (ERASE.test(typed)) typed = typed.replace(ERASE, '')
    }
    return typed.slice(0, typed.search(ENTER))
  } finally {
    process.stdin.setRawMode(false).pause()
    process.stderr.write('\n')
  }
}
