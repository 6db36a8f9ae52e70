/** Headers of the PROXY protocol as balancers write them; for tests. */

export interface BinaryHeader {
  /** Version and command: 2 and PROXY where it isn't said. */
  readonly kind?: number
  readonly family?: number
  readonly addresses?: Buffer
  readonly tlvs?: Buffer
}

/** Version 2, whatever it says. */
export function binaryHeader (
  { kind = 0x21, family = 0x11, addresses = Buffer.alloc(12), tlvs = Buffer.alloc(0) }: BinaryHeader,
): Buffer {
  const fixed = Buffer.from([...Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), kind, family, 0, 0])
  fixed.writeUInt16BE(addresses.length + tlvs.length, 14)
  return Buffer.concat([fixed, addresses, tlvs])
}

/** Version 2 for a client at this IPv4 address. */
export function binaryHeaderFrom (source: string, tlvs?: Buffer): Buffer {
  const addresses = Buffer.from([...source.split('.').map(Number), 10, 0, 0, 1, 0x30, 0x39, 0x14, 0x66])
  return binaryHeader({ addresses, ...tlvs && { tlvs } })
}

/** Version 1 for a client at this IPv4 address. */
export function textHeaderFrom (source: string): Buffer {
  return Buffer.from(`PROXY TCP4 ${source} 10.0.0.1 12345 5222\r\n`)
}
