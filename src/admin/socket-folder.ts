/**
 * The path of the admin socket in the data folder. A socket's path is limited to 107 bytes; for a longer one the folder
 * is opened, and its short path under /proc is used while it is open.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

const SOCKET_FILE = 'admin.sock'

/** unix(7): sun_path without the NUL at its end. */
const MAX_PATH_BYTES = 107

export interface SocketFolder {
  /** A path of at most 107 bytes to the socket, until the folder is closed. */
  readonly socketPath: string
  close (): Promise<void>
}

/** Rejects with the file system's error when there is no such folder. */
export async function openFolder (folder: string): Promise<SocketFolder> {
  const path = join(folder, SOCKET_FILE)
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return { socketPath: path, close: async () => {} }
  const handle = await open(folder)
  return { socketPath: `/proc/self/fd/${handle.fd}/${SOCKET_FILE}`, close: () => handle.close() }
}
