/** Splits the text from a socket into lines, for both ends of the admin socket. */
import type { Socket } from 'node:net'

const MAX_LINE = 1024 * 1024

/** Calls `take` with each complete line; an incomplete line beyond the limit destroys the socket. */
export function readLines (socket: Socket, take: (line: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(line)
    if (rest.length > MAX_LINE) socket.destroy(new Error('a line is too long'))
  })
}
