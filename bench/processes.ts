/** What a server costs, from /proc: processor time and memory of its process and all below it, database included. */
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { startProgram } from '../conformance/peers/server.ts'

/** USER_HZ, which Linux fixes at 100 for everything that it shows to programs. */
const TICKS_PER_SECOND = 100
// proc(5): places in /proc/PID/stat after the name in brackets.
const PARENT = 1
const TIMES = [11, 12, 13, 14]

/** Starts a program that stays on one core, and resolves when it listens. */
export function startPinned (
  core: number | undefined, program: string, parameters: readonly string[], port: number, options: SpawnOptions,
): Promise<ChildProcess> {
  const pinned = core === undefined ? [] : ['taskset', '-c', String(core)]
  const [command = program, ...rest] = [...pinned, program, ...parameters]
  return startProgram(command, rest, port, options)
}

/** Seconds of processor time, of children that have ended as well; only of programs of that name where one is given. */
export function cpuSeconds (root: number, program?: string): number {
  const counted = tree(root).filter(({ name }) => program === undefined || name === program)
  const ticks = counted.map(stat => TIMES.reduce((sum, place) => sum + Number(stat.fields[place]), 0))
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND
}

/**
 * The proportional set size: what all the processes have in memory, shared pages counted once. Without the pages of
 * files: those of Node's program weigh more or less as other programs of Node's come and go on the machine.
 */
export function memoryKilobytes (root: number): number {
  return tree(root).reduce((sum, { pid }) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    return sum + kilobytes(rollup, 'Pss_Anon') + kilobytes(rollup, 'Pss_Shmem')
  }, 0)
}

function kilobytes (rollup: string, what: string): number {
  return Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0)
}

interface Stat { readonly pid: number, readonly name: string, readonly fields: readonly string[] }

function tree (root: number): readonly Stat[] {
  const all = readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(name => statOf(Number(name)))
  const members = all.filter(stat => stat.pid === root)
  for (const member of members) members.push(...all.filter(stat => Number(stat.fields[PARENT]) === member.pid))
  return members
}

function statOf (pid: number): readonly Stat[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const end = text.lastIndexOf(')')
    return [{ pid, name: text.slice(text.indexOf('(') + 1, end), fields: text.slice(end + 2).split(' ') }]
  } catch {
    return [] // ENOENT or ESRCH: the process has ended since the folder was listed.
  }
}
