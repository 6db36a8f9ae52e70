import { describe, expect, test } from 'vitest'
import { parseScript } from './script.ts'

const HEADER = `# XEP-0000 §1: what a script says first
# needs: ping, disco
# fails: prosody: says: nothing

[Client] Romeo
	jid: romeo@localhost
	password: secret

[Client] Juliet's phone
	jid: juliet@localhost/phone
	password: pass: word
-----
`

describe('the header', () => {
  test('names the rule, the extensions and who is known to break it', () => {
    const script = parseScript(HEADER)

    expect(script.rule).toBe('XEP-0000 §1')
    expect(script.title).toBe('what a script says first')
    expect(script.needs).toEqual(['ping', 'disco'])
    expect([...script.fails]).toEqual([['prosody', 'says: nothing']])
  })

  test('lists the characters; a resource stands by itself or in the jid', () => {
    const { cast } = parseScript(HEADER.replace('	password: secret', '	password: secret\n	resource: orchard'))

    expect(cast).toEqual([
      { name: 'Romeo', jid: 'romeo@localhost', password: 'secret', resource: 'orchard' },
      { name: "Juliet's phone", jid: 'juliet@localhost', password: 'pass: word', resource: 'phone' },
    ])
  })

  test('lists other servers apart, whose connections begin with STARTTLS unless it says otherwise', () => {
    const others = '[Server] Verona\n\tdomain: verona.example\n[Server] Padua\n\tdomain: padua.example\n\ttls: no\n'

    const { cast, strangers } = parseScript(HEADER.replace('-----', `${others}-----`))

    expect(cast).toHaveLength(2)
    expect(strangers).toEqual([
      { name: 'Verona', domain: 'verona.example', isPlain: false },
      { name: 'Padua', domain: 'padua.example', isPlain: true },
    ])
  })

  test.each([
    ['no dashes', '[Client] Romeo\n', 'dashes'],
    ['no password', '[Client] Romeo\n\tjid: romeo@localhost\n---\n', 'Romeo needs'],
    ['no domain', '[Server] Verona\n---\n', 'Verona needs'],
    ['a stray line', '[Client] Romeo\nhello\n---\n', 'line 2'],
  ])('with %s is an error', (_, text, message) => {
    expect(() => parseScript(text)).toThrow(message)
  })
})

describe('the play', () => {
  const steps = (text: string): unknown => parseScript(HEADER + text).steps
    .map(({ who, verb, xml }) => [who, verb, xml])

  test('knows the verbs, with a colon and without', () => {
    expect(steps('Romeo connects\n\nRomeo sends:\n\t<presence/>\n\nRomeo receives\n\t<presence/>\nRomeo disconnects\n'))
      .toEqual([
        ['Romeo', 'connects', ''], ['Romeo', 'sends', '<presence/>'],
        ['Romeo', 'receives', '<presence/>'], ['Romeo', 'disconnects', ''],
      ])
  })

  test('takes all indented lines, and empty ones between them, as XML', () => {
    expect(steps('Romeo sends:\n\t<message>\n\n\t\t<body/>\n\t</message>\n\nRomeo connects'))
      .toEqual([['Romeo', 'sends', '<message>\n\n\t\t<body/>\n\t</message>'], ['Romeo', 'connects', '']])
  })

  test('skips comments in all three styles, dashes included', () => {
    expect(steps('# one\n// two\n-- three\n------\nRomeo connects')).toEqual([['Romeo', 'connects', '']])
  })

  test('understands names that hold a possessive, and that somebody receives nothing', () => {
    expect(steps("Juliet's phone receives: nothing")).toEqual([["Juliet's phone", 'receives', 'nothing']])
  })

  test.each(['Tybalt connects', 'Romeo dies', '<presence/>'])('refuses: %s', line => {
    expect(() => parseScript(HEADER + line)).toThrow('line 13')
  })

  test('groups what may come in any order, up to the next step of another kind', () => {
    const script = parseScript(`${HEADER}Romeo receives:\n\t<a/>
# In any order: two
Romeo receives:\n\t<b/>
Juliet's phone receives:\n\t<c/>
Romeo receives: nothing
Romeo receives:\n\t<d/>`)

    const groups = script.steps.map(({ group }) => group)
    expect(groups).toEqual([undefined, groups[1], groups[1], undefined, undefined])
    expect(groups[1]).toBeDefined()
  })

  test('marks what may come, and only the next step', () => {
    const { steps } = parseScript(`${HEADER}# May come: why\nRomeo receives:\n\t<a/>\nRomeo receives:\n\t<b/>`)

    expect(steps.map(({ optional }) => optional)).toEqual([true, false])
  })
})
