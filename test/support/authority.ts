/** A certificate authority for tests, and certificates of all the kinds that servers meet. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { AsnConvert, AsnIA5StringConverter, AsnUtf8StringConverter, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier, AttributeTypeAndValue, AttributeValue, BasicConstraints, Certificate, ExtendedKeyUsage,
  Extension, Extensions, GeneralName, GeneralNames, GeneralSubtree, GeneralSubtrees, id_ce_basicConstraints,
  id_ce_extKeyUsage, id_ce_nameConstraints, id_ce_subjectAltName, Name, NameConstraints, OtherName,
  RelativeDistinguishedName, SubjectPublicKeyInfo, TBSCertificate, Validity, Version,
} from '@peculiar/asn1-x509'
import type { CertificatePair } from '../../src/net/self-signed.ts'

const COMMON_NAME = '2.5.4.3'
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const XMPP_ADDRESS = '1.3.6.1.5.5.7.8.5'
const SERVICE_NAME = '1.3.6.1.5.5.7.8.7'
const DAY_MS = 24 * 3600_000

export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** What a certificate says. */
export interface Wishes {
  /** DNS-ID. */
  readonly hosts?: readonly string[]
  /** SRV-ID, e.g. `_xmpp-server.example.org`. */
  readonly services?: readonly string[]
  /** XmppAddr. */
  readonly addresses?: readonly string[]
  readonly ips?: readonly string[]
  readonly commonName?: string
  /** From yesterday to tomorrow unless given. */
  readonly from?: Date
  readonly to?: Date
  /** Extended key usages; without the extension unless given. */
  readonly usages?: readonly string[]
  /** The bytes of its subjectAltName, in place of what the names give. */
  readonly rawNames?: Buffer
}

interface Issuer { readonly name: Name, readonly key: KeyObject }

/** What an authority's certificate says. */
export interface AuthorityWishes extends Pick<Wishes, 'from' | 'to' | 'usages'> {
  /** Whether it says that it is one; it does unless told. */
  readonly isAuthority?: boolean
  /** How many authorities may stand below. */
  readonly pathLength?: number
  /** The only domain, with its subdomains, that it may issue certificates for. */
  readonly permitted?: string
}

export class Authority {
  /** In PEM. */
  readonly certificate: string
  readonly commonName: string
  readonly #issuer: Issuer
  /** Its own certificate and those above, the highest one aside, which others know. */
  readonly #chain: string

  constructor (commonName = randomName(), above?: Authority, wishes: AuthorityWishes = {}) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.commonName = commonName
    this.#issuer = { name: nameOf(commonName), key: privateKey }
    const { isAuthority: cA = true, pathLength, permitted, ...rest } = wishes
    const constraints = new BasicConstraints({ cA })
    if (pathLength !== undefined) constraints.pathLenConstraint = pathLength
    this.certificate = make({ commonName, ...rest }, publicKey, above ? above.#issuer : this.#issuer, [
      extension(id_ce_basicConstraints, AsnConvert.serialize(constraints), true),
      ...permitted === undefined ? [] : [extension(id_ce_nameConstraints, constraint(permitted), true)],
    ])
    this.#chain = above ? this.certificate + above.#chain : ''
  }

  /** An authority that this one vouches for; what that issues comes with the certificates between. */
  below (wishes: AuthorityWishes = {}): Authority {
    return new Authority(randomName(), this, wishes)
  }

  issue (wishes: Wishes): CertificatePair {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return { certificate: make(wishes, publicKey, this.#issuer) + this.#chain, key: keyText(privateKey) }
  }
}

function randomName (): string {
  return `Test authority ${randomBytes(4).toString('hex')}`
}

function constraint (dNSName: string): ArrayBuffer {
  const permittedSubtrees = new GeneralSubtrees([new GeneralSubtree({ base: new GeneralName({ dNSName }) })])
  return AsnConvert.serialize(new NameConstraints({ permittedSubtrees }))
}

/** A certificate that vouches for itself. */
export function selfSigned (wishes: Wishes): CertificatePair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = { name: nameOf(wishes.commonName ?? 'self'), key: privateKey }
  return { certificate: make({ commonName: 'self', ...wishes }, publicKey, issuer), key: keyText(privateKey) }
}

function make (wishes: Wishes, key: KeyObject, issuer: Issuer, more: readonly Extension[] = []): string {
  const algorithm = new AlgorithmIdentifier({ algorithm: ECDSA_WITH_SHA256 })
  const { from = new Date(Date.now() - DAY_MS), to = new Date(Date.now() + DAY_MS) } = wishes
  const body = new TBSCertificate({
    version: Version.v3,
    serialNumber: buffer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    signature: algorithm,
    issuer: issuer.name,
    validity: new Validity({ notBefore: from, notAfter: to }),
    subject: nameOf(wishes.commonName ?? ''),
    subjectPublicKeyInfo: AsnConvert.parse(key.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo),
    extensions: new Extensions([...extensionsOf(wishes), ...more]),
  })
  const bytes = Buffer.from(AsnConvert.serialize(body))
  const signature = buffer(sign('sha256', bytes, issuer.key))
  const all = new Certificate({ tbsCertificate: body, signatureAlgorithm: algorithm, signatureValue: signature })
  const text = Buffer.from(AsnConvert.serialize(all)).toString('base64').replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
}

function extensionsOf (wishes: Wishes): readonly Extension[] {
  const names = new GeneralNames(generalNames(wishes))
  const bytes = wishes.rawNames ? buffer(wishes.rawNames) : AsnConvert.serialize(names)
  return [
    ...names.length > 0 || wishes.rawNames ? [extension(id_ce_subjectAltName, bytes)] : [],
    ...wishes.usages
      ? [extension(id_ce_extKeyUsage, AsnConvert.serialize(new ExtendedKeyUsage([...wishes.usages])))]
      : [],
  ]
}

function generalNames ({ hosts = [], services = [], addresses = [], ips = [] }: Wishes): GeneralName[] {
  const other = (typeId: string, value: ArrayBuffer): GeneralName =>
    new GeneralName({ otherName: new OtherName({ typeId, value }) })
  return [
    ...hosts.map(dNSName => new GeneralName({ dNSName })),
    ...services.map(name => other(SERVICE_NAME, AsnIA5StringConverter.toASN(name).toBER())),
    ...addresses.map(address => other(XMPP_ADDRESS, AsnUtf8StringConverter.toASN(address).toBER())),
    ...ips.map(iPAddress => new GeneralName({ iPAddress })),
  ]
}

function extension (extnID: string, bytes: ArrayBuffer, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(bytes) })
}

function nameOf (commonName: string): Name {
  if (commonName === '') return new Name([])
  const value = new AttributeValue({ utf8String: commonName })
  return new Name([new RelativeDistinguishedName([new AttributeTypeAndValue({ type: COMMON_NAME, value })])])
}

function keyText (key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function buffer (bytes: Buffer): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
