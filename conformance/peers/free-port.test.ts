import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { freePort } from './free-port.ts'

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range'

test('a port is given once, and is none that the system gives to connections', async () => {
  const [lowest = ''] = readFileSync(RANGE, 'utf8').split('\t')

  const ports = await Promise.all(Array.from({ length: 300 }, () => freePort()))

  expect(new Set(ports).size).toBe(300)
  expect(Math.max(...ports)).toBeLessThan(Number(lowest))
})
