/** What is allowed with which domain. */
import { expect, test } from 'vitest'
import { DomainPolicy, type FederationSettings } from './settings.ts'

function policy (settings: Partial<FederationSettings>): DomainPolicy {
  return new DomainPolicy({ trust: 'certificate', allow: [], block: [], domains: {}, ...settings })
}

test('every domain is allowed where no list says otherwise', () => {
  expect(policy({}).isAllowed('example.org')).toBe(true)
})

test.each([
  ['example.org', true], ['conference.example.org', false], ['example.com', false],
])('where domains are allowed, others are not: %s', (domain, isAllowed) => {
  expect(policy({ allow: ['example.org'] }).isAllowed(domain)).toBe(isAllowed)
})

test.each([
  ['example.org', false], ['conference.example.org', false], ['a.b.example.org', false],
  ['notexample.org', true], ['org', true], ['bücher.example', false], ['[2001:db8::1]', false], ['[2001:db8::2]', true],
])('a blocked domain is never allowed, nor are its subdomains: %s', (domain, isAllowed) => {
  const block = ['example.org', 'bücher.example', '[2001:db8::1]']

  expect(policy({ block }).isAllowed(domain)).toBe(isAllowed)
})

test('what is blocked is not allowed by being listed as allowed', () => {
  expect(policy({ allow: ['a.example.org'], block: ['example.org'] }).isAllowed('a.example.org')).toBe(false)
})

test('a domain has the trust and the address that are set for it, and no other domain has', () => {
  const address = { host: '127.0.0.1', port: 15269 }
  const rules = policy({ domains: { 'other.example': { address, trust: 'dialback' } } })

  expect(rules.trustOf('other.example')).toBe('dialback')
  expect(rules.addressOf('other.example')).toEqual(address)
  expect(rules.trustOf('a.other.example')).toBe('certificate')
  expect(rules.addressOf('constructor')).toBeUndefined()
})
