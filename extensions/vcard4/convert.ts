/**
 * A vCard in the formats of XEP-0292 (vCard4, RFC 6351) and XEP-0054 (vcard-temp), each as the other (XEP-0292 §11).
 * What only one of them defines stays in that one.
 */
import { el } from '../../src/extension/api.ts'
import type { Element } from '../../src/extension/api.ts'

export const NS = 'urn:ietf:params:xml:ns:vcard-4.0'
export const NS_TEMP = 'vcard-temp'

/** A property in both formats. Elements are undefined where there is nothing to say. */
interface Property {
  /** Its name in vcard-temp. */
  readonly temp: string
  readonly modern: string
  toModern (temp: Element, vcard: Element): Element | undefined
  toTemp (modern: Element): Element | undefined
}

/** Structured values: the names of their parts in both. */
const NAME_PARTS = [
  ['FAMILY', 'surname'], ['GIVEN', 'given'], ['MIDDLE', 'additional'], ['PREFIX', 'prefix'], ['SUFFIX', 'suffix'],
] as const
const ADDRESS_PARTS = [
  ['POBOX', 'pobox'], ['EXTADD', 'ext'], ['STREET', 'street'], ['LOCALITY', 'locality'], ['REGION', 'region'],
  ['PCODE', 'code'], ['CTRY', 'country'],
] as const
/** The types of addresses and numbers that both have (§11.3). */
const PLACES = ['HOME', 'WORK']
const TEL_TYPES = [...PLACES, 'TEXT', 'VOICE', 'FAX', 'CELL', 'VIDEO', 'PAGER', 'TEXTPHONE']
const PREFERRED = 'PREF'

/** RFC 3966 §3: numbers with visual separators; others are text. */
const NUMBER = /^\+?[0-9*#().-]+$/
const URI = /^[a-z][a-z0-9+.-]*:\S+$/i
const DATA_URI = /^data:([^;,]*)(?:;[^;,]*)*;base64,(.*)$/s
const GEO_URI = /^geo:([^,;?]+),([^,;?]+)/
const DATE = /^\d{4}-?\d{2}-?\d{2}$/
const DATE_TIME = /^\d{4}-?\d{2}-?\d{2}T/

const PROPERTIES: readonly Property[] = [
  text('FN', 'fn'),
  {
    temp: 'N',
    modern: 'n',
    toModern: (n, vcard) => wrap('n', parametersOf({ 'sort-as': listOf(vcard.getChildText('SORT-STRING', NS_TEMP)) }),
      partsOf(n, NAME_PARTS)),
    toTemp: n => wrapTemp('N', tempPartsOf(n, NAME_PARTS)),
  },
  {
    temp: 'SORT-STRING',
    modern: 'n',
    toModern: () => undefined, // a parameter of the name
    toTemp: n => wrapTemp('SORT-STRING', parameterOf(n, 'sort-as').slice(0, 1)),
  },
  text('NICKNAME', 'nickname'),
  photo(),
  {
    temp: 'BDAY',
    modern: 'bday',
    toModern (bday) {
      const said = textOf(bday)
      return wrap('bday', valueOf(DATE.test(said) ? 'date' : DATE_TIME.test(said) ? 'date-time' : 'text', said))
    },
    toTemp: bday => wrapTemp('BDAY', textsIn(bday, ['date', 'date-time', 'text']).slice(0, 1)),
  },
  {
    temp: 'ADR',
    modern: 'adr',
    toModern: adr => wrap('adr', typesOf(adr, PLACES), partsOf(adr, ADDRESS_PARTS)),
    toTemp: adr => wrapTemp('ADR', tempTypesOf(adr, PLACES), tempPartsOf(adr, ADDRESS_PARTS)),
  },
  {
    temp: 'TEL',
    modern: 'tel',
    toModern (tel) {
      const number = tel.getChildText('NUMBER', NS_TEMP)?.trim() ?? ''
      return wrap('tel', typesOf(tel, TEL_TYPES),
        NUMBER.test(number) ? valueOf('uri', `tel:${number}`) : valueOf('text', number))
    },
    toTemp: tel => wrapTemp('TEL', tempTypesOf(tel, TEL_TYPES),
      textsIn(tel, ['uri', 'text']).slice(0, 1).map(number => el('NUMBER', NS_TEMP, {}, number.replace(/^tel:/, '')))),
  },
  {
    temp: 'EMAIL',
    modern: 'email',
    toModern: email => wrap('email', typesOf(email, PLACES), valueOf('text', email.getChildText('USERID', NS_TEMP))),
    toTemp: email => wrapTemp('EMAIL', tempTypesOf(email, PLACES),
      textsIn(email, ['text']).slice(0, 1).map(address => el('USERID', NS_TEMP, {}, address))),
  },
  {
    temp: 'JABBERID',
    modern: 'impp',
    toModern: jabberId => wrap('impp', valueOf('uri', prefixed('xmpp:', textOf(jabberId)))),
    toTemp: impp => wrapTemp('JABBERID', textsIn(impp, ['uri']).slice(0, 1)
      .filter(uri => uri.startsWith('xmpp:')).map(uri => uri.slice('xmpp:'.length))),
  },
  text('TZ', 'tz'),
  {
    temp: 'GEO',
    modern: 'geo',
    toModern (geo) {
      const [lat, lon] = ['LAT', 'LON'].map(part => geo.getChildText(part, NS_TEMP)?.trim())
      return lat && lon ? wrap('geo', valueOf('uri', `geo:${lat},${lon}`)) : undefined
    },
    toTemp (geo) {
      const [, lat, lon] = GEO_URI.exec(textsIn(geo, ['uri'])[0] ?? '') ?? []
      return lat && lon ? el('GEO', NS_TEMP, {}, el('LAT', NS_TEMP, {}, lat), el('LON', NS_TEMP, {}, lon)) : undefined
    },
  },
  text('TITLE', 'title'),
  text('ROLE', 'role'),
  media('LOGO', 'logo'),
  {
    temp: 'AGENT',
    modern: 'related',
    toModern: agent => wrap('related',
      parametersOf({ type: ['agent'] }), valueOf('uri', agent.getChildText('EXTVAL', NS_TEMP))),
    toTemp: related => parameterOf(related, 'type').includes('agent')
      ? wrapTemp('AGENT', textsIn(related, ['uri']).slice(0, 1).map(uri => el('EXTVAL', NS_TEMP, {}, uri))) : undefined,
  },
  {
    temp: 'ORG',
    modern: 'org',
    toModern: org => wrap('org', ['ORGNAME', 'ORGUNIT'].flatMap(part => tempTexts(org, part))
      .flatMap(name => valueOf('text', name) ?? [])),
    toTemp: org => wrapTemp('ORG', textsIn(org, ['text'])
      .map((name, at) => el(at === 0 ? 'ORGNAME' : 'ORGUNIT', NS_TEMP, {}, name))),
  },
  {
    temp: 'CATEGORIES',
    modern: 'categories',
    toModern: categories => wrap('categories',
      tempTexts(categories, 'KEYWORD').flatMap(word => valueOf('text', word) ?? [])),
    toTemp: categories => wrapTemp('CATEGORIES',
      textsIn(categories, ['text']).map(word => el('KEYWORD', NS_TEMP, {}, word))),
  },
  text('PRODID', 'prodid'),
  value('REV', 'rev', 'timestamp'),
  media('SOUND', 'sound'),
  {
    temp: 'UID',
    modern: 'uid',
    toModern: uid => wrap('uid', valueOf(URI.test(textOf(uid)) ? 'uri' : 'text', textOf(uid))),
    toTemp: uid => wrapTemp('UID', textsIn(uid, ['uri', 'text']).slice(0, 1)),
  },
  value('URL', 'url', 'uri'),
  {
    temp: 'KEY',
    modern: 'key',
    toModern: key => wrap('key', valueOf('text', key.getChildText('CRED', NS_TEMP))),
    toTemp: key => wrapTemp('KEY', textsIn(key, ['text']).slice(0, 1).map(cred => el('CRED', NS_TEMP, {}, cred))),
  },
  text('DESC', 'note'), // §11.1.1: the notes of people are in this one
  { ...text('NOTE', 'note'), toTemp: () => undefined },
]

/**
 * The vCard4 of a vcard-temp. Properties that are the same in `before`, the vCard4 that it replaces, and those that a
 * vcard-temp can't have, are as they are there.
 */
export function toVcard4 (temp: Element, before?: Element): Element {
  const properties = convert(temp, before, toModernOf, toTempOf)
  const hasName = properties.some(child => child.getName() === 'fn')
  return el('vcard', NS, {}, hasName ? undefined : el('fn', NS, {}, el('text', NS)), properties) // RFC 6350 §6.2.1
}

/** The vcard-temp of a vCard4, and the same the other way around. */
export function toVcardTemp (vcard: Element, before?: Element): Element {
  return el('vCard', NS_TEMP, {}, convert(vcard, before, toTempOf, toModernOf))
}

type Converted = (child: Element, vcard: Element) => readonly Element[]

function convert (vcard: Element, before: Element | undefined, forth: Converted, back: Converted): readonly Element[] {
  const [originals, unique] = [new Map<string, Element>(), new Set<Element>()]
  for (const child of before?.getChildElements() ?? []) {
    const converted = before ? back(child, before) : []
    if (converted.length === 0) unique.add(child)
    for (const one of converted) originals.set(one.toString(), child)
  }
  const converted = vcard.getChildElements().flatMap(child => originals.get(child.toString()) ?? forth(child, vcard))
  return [...new Set([...converted, ...unique])]
}

function toModernOf (child: Element, vcard: Element): readonly Element[] {
  if (child.getNS() !== NS_TEMP) return [child]
  return PROPERTIES.filter(({ temp }) => temp === child.getName()).flatMap(one => one.toModern(child, vcard) ?? [])
}

function toTempOf (child: Element): readonly Element[] {
  if (child.getNS() !== NS) return [child]
  return PROPERTIES.filter(({ modern }) => modern === child.getName()).flatMap(one => one.toTemp(child) ?? [])
}

/** A property of one text. */
function text (temp: string, modern: string): Property {
  return value(temp, modern, 'text')
}

/** A property of one value of that type. */
function value (temp: string, modern: string, type: string): Property {
  return {
    temp,
    modern,
    toModern: element => wrap(modern, valueOf(type, textOf(element))),
    toTemp: element => wrapTemp(temp, listOf(textsIn(element, [type]).join(','))),
  }
}

/**
 * A picture that is elsewhere. One that is in the card stays in that card: XEP-0398 has it in nodes of its own, and
 * clients that know these publish cards without it.
 */
function photo (): Property {
  const { toModern, toTemp, ...names } = media('PHOTO', 'photo')
  return {
    ...names,
    toModern: (element, vcard) => element.getChild('BINVAL', NS_TEMP) ? undefined : toModern(element, vcard),
    toTemp: element => textsIn(element, ['uri']).some(uri => uri.startsWith('data:')) ? undefined : toTemp(element),
  }
}

/** Binary data, or where they are. */
function media (temp: string, modern: string): Property {
  return {
    temp,
    modern,
    toModern (element) {
      const said = (part: string): string | undefined => element.getChildText(part, NS_TEMP)?.replace(/\s+/g, '')
      const data = said('BINVAL')
      const type = element.getChildText('TYPE', NS_TEMP)?.trim() || 'application/octet-stream'
      return wrap(modern, valueOf('uri', data ? `data:${type};base64,${data}` : said('EXTVAL')))
    },
    toTemp (element) {
      const [uri = ''] = textsIn(element, ['uri'])
      const [, type = '', data] = DATA_URI.exec(uri) ?? []
      if (data !== undefined) {
        return el(temp, NS_TEMP, {}, el('TYPE', NS_TEMP, {}, type), el('BINVAL', NS_TEMP, {}, data.trim()))
      }
      const isElsewhere = URI.test(uri) && !uri.startsWith('data:')
      return isElsewhere ? el(temp, NS_TEMP, {}, el('EXTVAL', NS_TEMP, {}, uri)) : undefined
    },
  }
}

function textOf (element: Element): string {
  return element.text().trim()
}

/** The element of a type of values (RFC 6351 §5); undefined where there is no value. */
function valueOf (type: string, said: string | null | undefined): Element | undefined {
  return said?.trim() ? el(type, NS, {}, said.trim()) : undefined
}

/** The values of these types. */
function textsIn (property: Element, types: readonly string[]): readonly string[] {
  return types.flatMap(type => property.getChildren(type, NS)).map(textOf).filter(said => said !== '')
}

function tempTexts (element: Element, name: string): readonly string[] {
  return element.getChildren(name, NS_TEMP).map(textOf)
}

/** A property with its parameters and values; undefined where it has no values. */
function wrap (name: string, ...parts: readonly (Element | undefined | readonly Element[])[]): Element | undefined {
  const content = parts.flatMap(part => part ?? [])
  return content.some(part => part.getName() !== 'parameters') ? el(name, NS, {}, content) : undefined
}

/** The same in vcard-temp, where types are no values. */
function wrapTemp (
  name: string, content: readonly (Element | string)[], values: readonly Element[] = [],
): Element | undefined {
  const hasValue = values.length > 0 || content.some(part => typeof part === 'string' || part.children.length > 0)
  return hasValue ? el(name, NS_TEMP, {}, content, values) : undefined
}

function prefixed (prefix: string, said: string): string {
  return said === '' ? '' : prefix + said
}

function partsOf (element: Element, parts: readonly (readonly [string, string])[]): readonly Element[] {
  return parts.flatMap(([temp, modern]) => valueOf(modern, element.getChildText(temp, NS_TEMP)) ?? [])
}

function tempPartsOf (element: Element, parts: readonly (readonly [string, string])[]): readonly Element[] {
  return parts.flatMap(([temp, modern]) =>
    textsIn(element, [modern]).slice(0, 1).map(said => el(temp, NS_TEMP, {}, said)))
}

/** `<parameters/>` (RFC 6351 §5.1); undefined where there are none. */
function parametersOf (lists: Readonly<Record<string, readonly string[]>>): Element | undefined {
  const parameters = Object.entries(lists).filter(([, texts]) => texts.length > 0).map(([name, texts]) =>
    el(name, NS, {}, texts.map(said => el(name === 'pref' ? 'integer' : 'text', NS, {}, said))))
  return parameters.length > 0 ? el('parameters', NS, {}, parameters) : undefined
}

function parameterOf (property: Element, name: string): readonly string[] {
  const parameter = property.getChild('parameters', NS)?.getChild(name, NS)
  return (parameter?.getChildElements() ?? []).map(textOf)
}

function listOf (said: string | null): readonly string[] {
  return said?.trim() ? [said.trim()] : []
}

/** What an address or a number is for, of these types, and whether it is preferred. */
function typesOf (element: Element, types: readonly string[]): Element | undefined {
  const has = (type: string): boolean => element.getChild(type, NS_TEMP) !== undefined
  return parametersOf({ type: types.filter(has).map(type => type.toLowerCase()), pref: has(PREFERRED) ? ['1'] : [] })
}

function tempTypesOf (property: Element, types: readonly string[]): readonly Element[] {
  const given = parameterOf(property, 'type').map(type => type.toLowerCase())
  const said = types.filter(type => given.includes(type.toLowerCase()))
  return [...said, ...parameterOf(property, 'pref').includes('1') ? [PREFERRED] : []].map(type => el(type, NS_TEMP))
}
