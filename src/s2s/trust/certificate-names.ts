/** Reads the names of a certificate: subjectAltName (RFC 5280 §4.2.1.6), with those that OpenSSL does not know. */
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate, GeneralNames, id_ce_subjectAltName } from '@peculiar/asn1-x509'
import type { OtherName } from '@peculiar/asn1-x509'

/** RFC 6120 §13.7.1.4: id-on-xmppAddr, a UTF8String. */
const XMPP_ADDRESS = { type: '1.3.6.1.5.5.7.8.5', tag: 0x0c, encoding: 'utf8' } as const
/** RFC 4985 §2: id-on-dnsSRV, an IA5String. */
const SERVICE_NAME = { type: '1.3.6.1.5.5.7.8.7', tag: 0x16, encoding: 'latin1' } as const

/** A certificate of a hundred names has 5 KB; one of 64 KB takes a third of a second to read. */
const MAX_BYTES = 16_384

export interface CertificateNames {
  /** DNS-ID, e.g. `*.example.org`. */
  readonly hosts: readonly string[]
  /** SRV-ID, e.g. `_xmpp-server.example.org`. */
  readonly services: readonly string[]
  /** XmppAddr: any text that claims to be an address. */
  readonly addresses: readonly string[]
}

/** The names of a certificate in DER; throws where it is malformed, or too large to be read in passing. */
export function namesOf (der: Buffer): CertificateNames {
  if (der.length > MAX_BYTES) throw new Error('the certificate is too large')
  const { extensions = [] } = AsnConvert.parse(der, Certificate).tbsCertificate
  const extension = extensions.find(({ extnID }) => extnID === id_ce_subjectAltName)
  const names = extension ? [...AsnConvert.parse(extension.extnValue.buffer, GeneralNames)] : []
  const others = names.flatMap(({ otherName }) => otherName ?? [])
  return {
    hosts: names.flatMap(({ dNSName }) => dNSName ?? []),
    services: others.flatMap(name => textOf(name, SERVICE_NAME)),
    addresses: others.flatMap(name => textOf(name, XMPP_ADDRESS)),
  }
}

/** The text where it is a name of that type: its value is one DER element, of a tag, a length and the text. */
function textOf (
  { typeId, value }: OtherName, { type, tag, encoding }: typeof XMPP_ADDRESS | typeof SERVICE_NAME,
): readonly string[] {
  const bytes = Buffer.from(value)
  const length = bytes[1] ?? 0
  if (typeId !== type || bytes[0] !== tag) return []
  return [bytes.toString(encoding, length < 0x80 ? 2 : 2 + (length & 0x7f))]
}
