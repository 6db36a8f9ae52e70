/** vCard4 (XEP-0292, RFC 6351) and vcard-temp (XEP-0054), each as the other. */
import { describe, expect, test } from 'vitest'
import type { Element } from '../../src/extension/api.ts'
import { parseStored } from '../../src/xml/stored.ts'
import { NS, NS_TEMP, toVcard4, toVcardTemp } from './convert.ts'

/** The parts of the examples of XEP-0292 §12.2 and §12.3 that are the same card, without indentation. */
const EXAMPLE: readonly (readonly [temp: string, modern: string])[] = [
  ['<FN>Peter Saint-Andre</FN>', '<fn><text>Peter Saint-Andre</text></fn>'],
  ['<N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN></N>', '<n><surname>Saint-Andre</surname><given>Peter</given></n>'],
  ['<NICKNAME>stpeter</NICKNAME>', '<nickname><text>stpeter</text></nickname>'],
  ['<NICKNAME>psa</NICKNAME>', '<nickname><text>psa</text></nickname>'],
  ['<PHOTO><EXTVAL>http://stpeter.im/images/stpeter_oscon.jpg</EXTVAL></PHOTO>',
    '<photo><uri>http://stpeter.im/images/stpeter_oscon.jpg</uri></photo>'],
  ['<BDAY>1966-08-06</BDAY>', '<bday><date>1966-08-06</date></bday>'],
  ['<ADR><WORK/><PREF/><EXTADD>Suite 600</EXTADD><STREET>1899 Wynkoop Street</STREET><LOCALITY>Denver</LOCALITY>' +
    '<REGION>CO</REGION><PCODE>80202</PCODE><CTRY>USA</CTRY></ADR>',
  '<adr><parameters><type><text>work</text></type><pref><integer>1</integer></pref></parameters><ext>Suite 600</ext>' +
    '<street>1899 Wynkoop Street</street><locality>Denver</locality><region>CO</region><code>80202</code>' +
    '<country>USA</country></adr>'],
  ['<TEL><WORK/><VOICE/><PREF/><NUMBER>+1-303-308-3282</NUMBER></TEL>',
    '<tel><parameters><type><text>work</text><text>voice</text></type><pref><integer>1</integer></pref></parameters>' +
    '<uri>tel:+1-303-308-3282</uri></tel>'],
  ['<TEL><TEXT/><VOICE/><CELL/><NUMBER>+1-720-256-6756</NUMBER></TEL>',
    '<tel><parameters><type><text>text</text><text>voice</text><text>cell</text></type></parameters>' +
    '<uri>tel:+1-720-256-6756</uri></tel>'],
  ['<EMAIL><WORK/><USERID>psaintan@cisco.com</USERID></EMAIL>',
    '<email><parameters><type><text>work</text></type></parameters><text>psaintan@cisco.com</text></email>'],
  ['<JABBERID>stpeter@jabber.org</JABBERID>', '<impp><uri>xmpp:stpeter@jabber.org</uri></impp>'],
  ['<TZ>America/Denver</TZ>', '<tz><text>America/Denver</text></tz>'],
  ['<GEO><LAT>39.59</LAT><LON>-105.01</LON></GEO>', '<geo><uri>geo:39.59,-105.01</uri></geo>'],
  ['<TITLE>Executive Director</TITLE>', '<title><text>Executive Director</text></title>'],
  ['<ROLE>Patron Saint</ROLE>', '<role><text>Patron Saint</text></role>'],
  ['<LOGO><TYPE>image/jpeg</TYPE><BINVAL>/9j/4AAQ</BINVAL></LOGO>',
    '<logo><uri>data:image/jpeg;base64,/9j/4AAQ</uri></logo>'],
  ['<ORG><ORGNAME>XMPP Standards Foundation</ORGNAME></ORG>', '<org><text>XMPP Standards Foundation</text></org>'],
  ['<URL>https://stpeter.im/</URL>', '<url><uri>https://stpeter.im/</uri></url>'],
  ['<KEY><CRED>-----BEGIN PGP PUBLIC KEY BLOCK-----</CRED></KEY>',
    '<key><text>-----BEGIN PGP PUBLIC KEY BLOCK-----</text></key>'],
  ['<DESC>More information about me is located on my personal website</DESC>',
    '<note><text>More information about me is located on my personal website</text></note>'],
]

/** What the examples leave out. */
const MORE: typeof EXAMPLE = [
  ['<BDAY>1476-06-09T12:00:00Z</BDAY>', '<bday><date-time>1476-06-09T12:00:00Z</date-time></bday>'],
  ['<BDAY>Lammas Eve</BDAY>', '<bday><text>Lammas Eve</text></bday>'],
  ['<TEL><HOME/><NUMBER>ask the nurse</NUMBER></TEL>',
    '<tel><parameters><type><text>home</text></type></parameters><text>ask the nurse</text></tel>'],
  ['<EMAIL><USERID>juliet@capulet.lit</USERID></EMAIL>', '<email><text>juliet@capulet.lit</text></email>'],
  ['<ORG><ORGNAME>Capulet</ORGNAME><ORGUNIT>Household</ORGUNIT></ORG>',
    '<org><text>Capulet</text><text>Household</text></org>'],
  ['<CATEGORIES><KEYWORD>a</KEYWORD><KEYWORD>b</KEYWORD></CATEGORIES>',
    '<categories><text>a</text><text>b</text></categories>'],
  ['<AGENT><EXTVAL>http://nurse/</EXTVAL></AGENT>',
    '<related><parameters><type><text>agent</text></type></parameters><uri>http://nurse/</uri></related>'],
  ['<N><FAMILY>von Capulet</FAMILY></N><SORT-STRING>Capulet</SORT-STRING>',
    '<n><parameters><sort-as><text>Capulet</text></sort-as></parameters><surname>von Capulet</surname></n>'],
  ['<PRODID>lute</PRODID>', '<prodid><text>lute</text></prodid>'],
  ['<REV>2012-09-12T00:00:00Z</REV>', '<rev><timestamp>2012-09-12T00:00:00Z</timestamp></rev>'],
  ['<UID>urn:uuid:1</UID>', '<uid><uri>urn:uuid:1</uri></uid>'],
  ['<UID>1</UID>', '<uid><text>1</text></uid>'],
  ['<SOUND><EXTVAL>http://x/</EXTVAL></SOUND>', '<sound><uri>http://x/</uri></sound>'],
  ["<x xmlns='urn:x'><y/></x>", "<x xmlns='urn:x'><y/></x>"],
]

function temp (content: string): Element {
  return parseStored(`<vCard xmlns='${NS_TEMP}'>${content}</vCard>`)
}

function modern (content: string): Element {
  return parseStored(`<vcard xmlns='${NS}'>${content}</vcard>`)
}

const FN = '<fn><text>P</text></fn>'

describe('each property is the other\'s, both ways (XEP-0292 §11)', () => {
  test.each([...EXAMPLE.filter(([, one]) => !one.startsWith('<fn>')), ...MORE])('%s', (old, recent) => {
    expect(toVcard4(temp(`<FN>P</FN>${old}`)).toString()).toBe(modern(FN + recent).toString())
    expect(toVcardTemp(modern(FN + recent)).toString()).toBe(temp(`<FN>P</FN>${old}`).toString())
  })

  test('and so is the whole card', () => {
    const [old, recent] = [temp(EXAMPLE.map(([one]) => one).join('')), modern(EXAMPLE.map(([, one]) => one).join(''))]

    expect(toVcard4(old).toString()).toBe(recent.toString())
    expect(toVcardTemp(recent).toString()).toBe(old.toString())
  })
})

test('a card without a name has an empty one, which vCard4 asks for', () => {
  expect(toVcard4(temp('')).toString()).toBe(modern('<fn><text/></fn>').toString())
  expect(toVcardTemp(modern('<fn><text/></fn>')).toString()).toBe(temp('').toString())
})

test.each([
  '<DOM/>', '<INTL/>', '<PARCEL/>', '<POSTAL/>',
])('vCard4 has no %s of addresses (XEP-0292 §11.3.1)', type => {
  expect(toVcard4(temp(`<ADR>${type}<CTRY>Italy</CTRY></ADR>`)).toString()).toContain('<adr><country>Italy</country></adr>')
})

test('what says nothing is left out: empty elements, as clients write them, and line breaks', () => {
  const old = temp(`<FN>\n P </FN><N><MIDDLE/></N><NICKNAME/><TEL><WORK/><NUMBER/></TEL><ORG><ORGNAME/></ORG><GEO/><ADR><HOME/></ADR>
    <LOGO><TYPE>image/png</TYPE><BINVAL>\nAA\nAA\n</BINVAL></LOGO>`)

  expect(toVcard4(old).toString()).toBe(
    modern(`${FN}<logo><uri>data:image/png;base64,AAAA</uri></logo>`).toString())
})

test('a note is a note, whatever its name was (XEP-0292 §11.1.1)', () => {
  expect(toVcard4(temp('<FN>P</FN><NOTE>n</NOTE>')).toString()).toBe(
    modern(`${FN}<note><text>n</text></note>`).toString())
})

describe('a card that replaces another keeps of it', () => {
  test('what vcard-temp can\'t say', () => {
    const before = modern(`${FN}<gender><sex><text>F</text></sex></gender><impp><uri>sip:juliet@capulet.lit</uri></impp>` +
      '<title><text>Lady</text></title>')

    const after = toVcard4(temp('<FN>J</FN><JABBERID>juliet@capulet.lit</JABBERID>'), before)

    expect(after.toString()).toBe(modern('<fn><text>J</text></fn><impp><uri>xmpp:juliet@capulet.lit</uri></impp>' +
      '<gender><sex><text>F</text></sex></gender><impp><uri>sip:juliet@capulet.lit</uri></impp>').toString())
  })

  test('what vCard4 can\'t say', () => {
    const before = temp('<FN>P</FN><LABEL><LINE>Verona</LINE></LABEL><CLASS><PUBLIC/></CLASS><TITLE>Lady</TITLE>')

    const after = toVcardTemp(modern('<fn><text>J</text></fn>'), before)

    expect(after.toString()).toBe(
      temp('<FN>J</FN><LABEL><LINE>Verona</LINE></LABEL><CLASS><PUBLIC/></CLASS>').toString())
  })

  test('what is the same, with all that the other format has no words for', () => {
    const email = '<email><parameters><type><text>work</text><text>urn:x</text></type><altid><text>1</text></altid></parameters>' +
      '<text>j@capulet.lit</text></email>'
    const number = '<TEL><MSG/><HOME/><NUMBER>+39 45</NUMBER></TEL>'
    const recent = modern(FN + email)
    const old = temp(`<FN>P</FN>${number}`)

    const again = toVcard4(parseStored(toVcardTemp(recent).toString()), recent)
    const oldAgain = toVcardTemp(parseStored(toVcard4(old).toString()), old)

    expect(again.toString()).toBe(recent.toString())
    expect(oldAgain.toString()).toBe(old.toString())
  })

  test('its picture, which is in nodes of its own', () => {
    const [old, recent] = ['<PHOTO><BINVAL>AAAA</BINVAL></PHOTO>', '<photo><uri>data:image/png;base64,BBBB</uri></photo>']

    const temporary = toVcardTemp(modern(`<fn><text>J</text></fn>${recent}`), temp(`<FN>P</FN>${old}`))
    const after = toVcard4(temp(`<FN>J</FN>${old}`), modern(FN + recent))

    expect(temporary.toString()).toBe(temp(`<FN>J</FN>${old}`).toString())
    expect(after.toString()).toBe(modern(`<fn><text>J</text></fn>${recent}`).toString())
  })

  test('a name that sorts by another, once', () => {
    const before = modern(`${FN}<n><parameters><sort-as><text>C</text></sort-as></parameters><surname>von C</surname></n>`)

    const after = toVcard4(parseStored(toVcardTemp(before).toString()), before)

    expect(after.toString()).toBe(before.toString())
  })
})
