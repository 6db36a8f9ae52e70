/** Whether a certificate proves that a stream speaks for a domain (RFC 6120 §13.7, RFC 6125 §6). */
import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { Authority, selfSigned, type Wishes } from '../../../test/support/authority.ts'
import { certificateProblem } from './certificate-problem.ts'

const authority = new Authority()

function problem (wishes: Wishes, domain: string): string | undefined {
  const { certificate } = authority.issue(wishes)
  return certificateProblem({ certificate: new X509Certificate(certificate).raw, problem: undefined }, domain)
}

test.each<[Wishes, string]>([
  [{ hosts: ['example.org'] }, 'example.org'],
  [{ hosts: ['a.example', 'EXAMPLE.org'] }, 'example.org'],
  [{ hosts: ['*.example.org'] }, 'a.example.org'],
  [{ hosts: ['xn--bcher-kva.example'] }, 'bücher.example'],
  [{ hosts: ['*.xn--bcher-kva.example'] }, 'a.bücher.example'],
  [{ services: ['_xmpp-server.example.org'] }, 'example.org'],
  [{ services: ['_XMPP-Server.Example.org'] }, 'example.org'],
  [{ services: ['_xmpp-server.xn--bcher-kva.example'] }, 'bücher.example'],
  [{ addresses: ['example.org'] }, 'example.org'],
  [{ addresses: ['BÜCHER.example'] }, 'bücher.example'],
  [{ addresses: [`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example`] },
    `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example`],
  [{ ips: ['192.0.2.1'] }, '192.0.2.1'],
  [{ ips: ['2001:db8::1'] }, '[2001:db8::1]'],
  [{ hosts: ['mail.example'], services: ['_imap.example.org', '_xmpp-server.example.org'] }, 'example.org'],
])('a certificate with %j proves %s', (wishes, domain) => {
  expect(problem(wishes, domain)).toBeUndefined()
})

test.each<[Wishes, string]>([
  [{ hosts: ['example.org'] }, 'a.example.org'],
  [{ hosts: ['*.example.org'] }, 'example.org'],
  [{ hosts: ['*.example.org'] }, 'a.b.example.org'],
  [{ hosts: ['a*.example.org'] }, 'ab.example.org'],
  [{ hosts: ['b.*.example.org'] }, 'b.a.example.org'],
  [{ hosts: ['*'] }, 'example'],
  [{ services: ['_xmpp-client.example.org'] }, 'example.org'],
  [{ services: ['_xmpp-server.*.org'] }, 'example.org'],
  [{ services: ['example.org'] }, 'example.org'],
  [{ addresses: ['romeo@example.org'] }, 'example.org'],
  [{ addresses: ['example.org/balcony'] }, 'example.org'],
  [{ addresses: ['@'] }, 'example.org'],
  [{ hosts: ['192.0.2.1'] }, '192.0.2.1'],
  [{ ips: ['192.0.2.2'] }, '192.0.2.1'],
  [{ hosts: ['example.org\0.evil.example'] }, 'example.org'],
])('a certificate with %j does not prove %s', (wishes, domain) => {
  expect(problem(wishes, domain)).toMatch(/^is for .* not for |^does not name /)
})

test('a common name proves nothing, with other names or without', () => {
  expect(problem({ commonName: 'example.org' }, 'example.org')).toBe('does not name example.org')
  expect(problem({ commonName: 'example.org', hosts: ['a.example'] }, 'example.org'))
    .toBe('is for a.example, not for example.org')
})

test('it is told which domains a certificate is for, though not all of many, and no text that is no name', () => {
  const hosts = ['a.example', '*.b.example', '\u001B[31mred', 'c.example', 'd.example']

  expect(problem({ hosts, services: ['_xmpp-server.e.example'] }, 'example.org'))
    .toBe('is for a.example, *.b.example, c.example, not for example.org')
})

test.each([
  ['CERT_HAS_EXPIRED', 'has expired'], ['CERT_NOT_YET_VALID', 'is not valid yet'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'is self-signed'], ['SELF_SIGNED_CERT_IN_CHAIN', 'is of an unknown authority'],
  ['SOMETHING_NEW', 'is not trusted (SOMETHING_NEW)'],
])('a certificate that OpenSSL does not trust proves nothing, though it names the domain: %s', (code, expected) => {
  const certificate = new X509Certificate(selfSigned({ hosts: ['example.org'] }).certificate).raw

  expect(certificateProblem({ certificate, problem: code }, 'example.org')).toBe(expected)
})

test('who shows no certificate proves nothing', () => {
  expect(certificateProblem(undefined, 'example.org')).toBe('is missing')
})

test.each([
  ['no certificate at all', Buffer.from('hello')],
  ['nothing', Buffer.alloc(0)],
  ['malformed names', new X509Certificate(authority.issue({ rawNames: Buffer.from('3004820461', 'hex') }).certificate).raw],
  ['thousands of names', new X509Certificate(authority.issue({
    hosts: Array.from({ length: 2000 }, (_, index) => `${index}.example`),
  }).certificate).raw],
])('what can not be read proves nothing, and harms nobody: %s', (_, certificate) => {
  expect(certificateProblem({ certificate, problem: undefined }, 'example.org')).toMatch(/^can't be read$|^does not name/)
})
