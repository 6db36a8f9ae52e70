import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { Authority, SERVER_AUTH } from './authority.ts'

test('an authority issues certificates that say what is wished, and others do not vouch for them', () => {
  const [ours, other] = [new Authority(), new Authority()].map(one => ({
    root: new X509Certificate(one.certificate), leaf: new X509Certificate(one.issue({ hosts: ['a.test'] }).certificate),
  }))

  expect(ours?.leaf.checkIssued(ours.root)).toBe(true)
  expect(ours?.leaf.verify(ours.root.publicKey)).toBe(true)
  expect(other?.leaf.verify(ours!.root.publicKey)).toBe(false)
  expect(ours?.root.ca).toBe(true)
  expect(ours?.leaf.ca).toBe(false)
})

test('a certificate has the times and usages that are wished', () => {
  const wishes = { from: new Date('2020-01-01'), to: new Date('2021-01-01'), usages: [SERVER_AUTH] }

  const leaf = new X509Certificate(new Authority().issue(wishes).certificate)

  expect(leaf.validToDate).toEqual(wishes.to)
  expect(leaf.keyUsage).toEqual([SERVER_AUTH])
})
