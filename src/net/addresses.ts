/** Listen addresses of the config, and the limit of connections per remote address. */
import { isIPv4, isIPv6 } from 'node:net'

/** Where to listen; port 0 is any free one. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Parses `0.0.0.0:5222` or `[::1]:5222`; undefined for anything else. */
export function parseListenAddress (text: string): ListenAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (!match) return undefined
  const [, v6, v4 = '', digits] = match
  const port = Number(digits)
  if (port > 65535) return undefined
  if (v6 !== undefined) return isIPv6(v6) ? { host: v6, port } : undefined
  return isIPv4(v4) || v4 === 'localhost' ? { host: v4, port } : undefined
}

/** The canonical remote address for logs and limits: an IPv4 address in dotted form, also on an IPv6 socket. */
export function plainAddress (address: string): string {
  return address.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address
}

/** Whether the address, as `plainAddress` returns it, is on this machine. */
export function isLoopback (address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** Limits connections per remote address; an IPv6 network (/64) counts as one, because one user has all of it. */
export class AddressLimit {
  readonly #limit: number
  readonly #open = new Map<string, number>()

  /** 0 means no limit. */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** Takes a place; true if there was one, which `release` must give back. */
  take (address: string): boolean {
    if (this.#limit === 0) return true
    const key = network(address)
    const open = this.#open.get(key) ?? 0
    if (open >= this.#limit) return false
    this.#open.set(key, open + 1)
    return true
  }

  release (address: string): void {
    if (this.#limit === 0) return
    const key = network(address)
    const open = this.#open.get(key) ?? 0
    if (open > 1) this.#open.set(key, open - 1)
    else this.#open.delete(key)
  }
}

function network (address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  if (left.length >= 4) return left.slice(0, 4).join(':')
  const right = tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}
