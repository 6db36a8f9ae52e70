/**
 * The data folder as the place of the admin socket. A socket's path may have 107 bytes, which a folder's may exceed by
 * itself; an open folder has a short name under /proc, which serves as long as it is open.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

const SOCKET_FILE = 'admin.sock'

/** unix(7): sun_path, less the NUL at its end. */
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
