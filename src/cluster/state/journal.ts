/**
 * The wire format of a journal entry: the notes of one turn of the event loop, in binary, each field after its length.
 */

/** A change of an account's sessions since their last snapshot. */
export interface Entry {
  /** Counted over all notes of the node. */
  readonly number: number
  readonly account: string
  readonly extension: string
  readonly about: string
  readonly body: Buffer
}

/** The bytes of notes with consecutive numbers. */
export function encodeNotes (notes: readonly Entry[]): Buffer {
  let length = 6
  for (const { account, extension, about, body } of notes) {
    length += 16 + Buffer.byteLength(account) + Buffer.byteLength(extension) + Buffer.byteLength(about) + body.length
  }
  const bytes = Buffer.allocUnsafe(length)
  let at = bytes.writeUIntBE(notes[0]?.number ?? 0, 0, 6)
  const add = (field: string | Buffer): void => {
    const size = typeof field === 'string' ? bytes.write(field, at + 4) : field.copy(bytes, at + 4)
    at = bytes.writeUInt32BE(size, at) + size
  }
  for (const { account, extension, about, body } of notes) {
    add(account)
    add(extension)
    add(about)
    add(body)
  }
  return bytes
}

/** The notes that `encodeNotes` was given. */
export function * decodeNotes (bytes: Buffer): Iterable<Entry> {
  let number = bytes.readUIntBE(0, 6)
  let at = 6
  const next = (): Buffer => {
    const start = at + 4
    at = start + bytes.readUInt32BE(at)
    return bytes.subarray(start, at)
  }
  while (at < bytes.length) {
    const [account, extension, about] = [next().toString(), next().toString(), next().toString()]
    yield { number: number++, account, extension, about, body: next() }
  }
}
