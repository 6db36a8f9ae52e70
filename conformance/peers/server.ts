/** What the peers have in common: a child process that listens on a loopback port and has a folder of its own. */
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface Server {
  /** Where clients connect: one for each of its nodes. */
  readonly ports: readonly number[]
  /** Where other servers connect: one for each of its nodes, or none. */
  readonly serverPorts: readonly number[]
  readonly folder: string
  /** Ends the process; the folder stays. */
  end (): Promise<void>
}

/** What is asked for other servers. */
export interface NameServer { readonly host: string, readonly port: number }

export interface CertificateFiles { readonly certificate: string, readonly key: string }

export interface Owner { readonly uid: number, readonly gid: number }

/** The program is there, or Debian's package of it is installed now, or an error says what to do. */
export function requireProgram (path: string, debianPackage: string): void {
  if (existsSync(path)) return
  const command = `apt-get install -y --no-install-recommends ${debianPackage}`
  if (process.getuid?.() !== 0) throw new Error(`${path} is missing. On Debian, as root: ${command}`)
  // RUNLEVEL=1 keeps invoke-rc.d from starting the service that the package brings.
  const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' }
  execFileSync('sh', ['-c', `apt-get update -q && ${command}`], { stdio: ['ignore', 'ignore', 'inherit'], env })
}

/** Whom the server runs as where this process is root's: the user that its package made. */
export function systemUser (name: string): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

export function makeFolder (name: string, owner?: Owner): string {
  const folder = mkdtempSync(join(tmpdir(), `peer-${name}-`))
  // Heliograph's database runs as another user where this process is root's.
  chmodSync(folder, 0o755)
  if (owner) chownSync(folder, owner.uid, owner.gid)
  return folder
}

/** A certificate that signed itself; one that is there for the host is replaced. */
export function makeCertificate (folder: string, owner?: Owner, host = 'localhost'): CertificateFiles {
  const certificate = join(folder, `${host}.crt`)
  const key = join(folder, `${host}.key`)
  execFileSync('openssl', ['req', '-x509', '-nodes', '-days', '2', '-newkey', 'ec', '-pkeyopt',
    'ec_paramgen_curve:prime256v1', '-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`,
    '-keyout', key, '-out', certificate], { stdio: 'ignore' })
  if (owner) for (const file of [certificate, key]) chownSync(file, owner.uid, owner.gid)
  return { certificate, key }
}

/** The same in memory, for who needs no file. */
export function keyPair (): { readonly key: string, readonly cert: string } {
  const folder = makeFolder('certificate')
  try {
    const { certificate, key } = makeCertificate(folder)
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(certificate, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Starts a program and resolves when it listens; what it printed is in the error when it does not. */
export async function startProgram (
  program: string, parameters: readonly string[], port: number, options: SpawnOptions,
): Promise<ChildProcess> {
  const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let printed = ''
  const keep = (text: string): void => { printed = (printed + text).slice(-4_000) }
  child.stdout?.setEncoding('utf8').on('data', keep)
  child.stderr?.setEncoding('utf8').on('data', keep)
  child.on('error', error => { keep(error.message) })
  for (let attempt = 0; attempt < 900; attempt++) {
    if (await listens(port)) return child
    if (child.exitCode !== null || child.pid === undefined) {
      await delay(100) // for its last words
      throw new Error(`${program} ended:\n${printed}`)
    }
    await delay(100)
  }
  await endProgram(child)
  throw new Error(`${program} does not listen after 90 s:\n${printed}`)
}

/** Ends it in its own way, or by force after fifteen seconds. */
export async function endProgram (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await ended
  clearTimeout(timer)
}

async function listens (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false // ECONNREFUSED: not yet.
  } finally {
    socket.destroy()
  }
}
