/** XEP-0004: what is read of forms that others fill in. */
import { expect, test } from 'vitest'
import { el } from '../xml/element.ts'
import { formValues, NS_FORMS } from './forms.ts'

function filled (fields: number): ReturnType<typeof el> {
  return el('x', NS_FORMS, { type: 'submit' }, Array.from({ length: fields }, (_, n) =>
    el('field', NS_FORMS, { var: `f${n}` }, el('value', NS_FORMS, {}, `v${n}`))))
}

test('a form has its values by the names of the fields', () => {
  expect([...formValues(filled(2))]).toEqual([['f0', ['v0']], ['f1', ['v1']]])
})

test('a form of more than 200 fields is not looked at', () => {
  expect(formValues(filled(200)).size).toBe(200)
  expect(() => formValues(filled(201))).toThrow('at most 200')
})
