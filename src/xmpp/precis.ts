/**
 * PRECIS (RFC 8264) for addresses: the profiles UsernameCaseMapped and OpaqueString (RFC 8265), by Node's Unicode data.
 * Bidirectional classes and joining types, which Node lacks, are those of tr46.
 */
import { toUnicode } from 'tr46'

const ASCII_IDENTIFIER = /^[\x21-\x7E]+$/
/** Words with single spaces between them, which nickname comparison leaves as they are. */
const ASCII_NAME = /^[\x21-\x7E]+(?: [\x21-\x7E]+)*$/
const ASCII_FREEFORM = /^[\x20-\x7E]+$/

/** RFC 8264 §4.2: visible ASCII, letters (no titlecase is left), digits, marks, joiners, and exceptions (§9.6). */
const IDENTIFIER = /^[!-~\p{L}\p{Nd}\p{Mn}\p{Mc}\p{Join_C}\xB7\u0375\u05F3\u05F4\u06FD\u06FE\u0F0B\u3007\u30FB]+$/u
/** RFC 8264 §4.3: also compatibility characters, other letters and digits, spaces, symbols and punctuation. */
const FREEFORM = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\p{Join_C}]+$/u
const NOT_FREEFORM = /[^\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\p{Join_C}]/u
/** RFC 8264 §8: letters, marks and symbols that are in neither class. */
const DISALLOWED: readonly RegExp[] = [
  /[\u0640\u07FA\u302E\u302F\u3031-\u3035\u303B]/u, // §9.6, exceptions
  /[\u1100-\u11FF\uA960-\uA97C\uD7B0-\uD7C6\uD7CB-\uD7FB]/u, // §9.9, old Hangul jamo
  /(?!\p{Join_C})\p{Default_Ignorable_Code_Point}/u, // §9.13, ignorable code points
]

const CONTEXTUAL = /[\u00B7\u0375\u05F3\u05F4\u0660-\u0669\u06F0-\u06F9\u200C\u200D\u30FB]/u
/** RFC 5892 appendix A: violations of each contextual rule but those of joiners. */
const OUT_OF_CONTEXT: readonly RegExp[] = [
  /(?<!l)\u00B7|\u00B7(?!l)/u, // §A.3
  /\u0375(?!\p{Script=Greek})/u, // §A.4
  /(?<!\p{Script=Hebrew})[\u05F3\u05F4]/u, // §A.5 and §A.6
  /^(?=.*\u30FB)[^\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]+$/su, // §A.7
  /^(?=.*[\u0660-\u0669]).*[\u06F0-\u06F9]/su, // §A.8 and §A.9
]
/** A joiner, with the mark before it, and the letters around it without their marks. */
const JOINER = /(?<=(\p{M})|)(?<=(\P{M})\p{M}*|)[\u200C\u200D](?=\p{M}*(\P{M})|)/gu
const LETTER_KA = '\u0915'

/** RFC 8265 §3.3.1: fullwidth and halfwidth forms. */
const WIDE_OR_NARROW = /[\u3000\uFF00-\uFFEF]/gu
/** The blocks of right-to-left scripts: only strings with these can break the Bidi rule. */
const MAYBE_RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFF\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u

/** RFC 8265 §3.3, UsernameCaseMapped: the prepared string; undefined where it is not allowed. */
export function usernameCaseMapped (text: string): string | undefined {
  if (ASCII_IDENTIFIER.test(text)) return text.toLowerCase()
  const narrow = text.replace(WIDE_OR_NARROW, character => character.normalize('NFKC'))
  // RFC 7622 §3.5: Σ becomes σ also at the end of a word, where toLowerCase would make it ς.
  const prepared = narrow.replaceAll('\u03A3', '\u03C3').toLowerCase().normalize('NFC')
  // RFC 8264 §9.17: a normalized string that NFKC would change has a compatibility equivalent.
  const isValid = isIdentifier(prepared) && prepared.normalize('NFKC') === prepared && obeysBidiRule(prepared)
  return isValid ? prepared : undefined
}

/** RFC 8265 §4.2, OpaqueString: the prepared string; undefined where it is not allowed. */
export function opaqueString (text: string): string | undefined {
  if (ASCII_FREEFORM.test(text)) return text
  const prepared = text.replace(/\p{Zs}/gu, ' ').normalize('NFC')
  return isOfClass(FREEFORM, prepared) ? prepared : undefined
}

/**
 * RFC 8266 §2.4, Nickname, for comparison: similar names get the same string. Similar letters of different scripts stay
 * different, as in every profile.
 */
export function comparedAsNickname (text: string): string {
  if (ASCII_NAME.test(text)) return text.toLowerCase()
  return text.replace(/\p{Zs}+/gu, ' ').trim().toLowerCase().normalize('NFKC')
}

/** The character because of which OpaqueString refuses the text, as `U+FE0F` (of an emoji, for example). */
export function refusedInOpaque (text: string): string | undefined {
  for (const refused of [NOT_FREEFORM, ...DISALLOWED, CONTEXTUAL]) {
    const [character] = refused.exec(text) ?? []
    if (character !== undefined) return `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`
  }
}

/**
 * Whether a string is of the IdentifierClass; it must be in lower case, in NFC and without compatibility characters.
 */
export function isIdentifier (text: string): boolean {
  return isOfClass(IDENTIFIER, text)
}

function isOfClass (allowed: RegExp, text: string): boolean {
  if (!allowed.test(text) || DISALLOWED.some(characters => characters.test(text))) return false
  return !CONTEXTUAL.test(text) || isInContext(text)
}

function isInContext (text: string): boolean {
  if (OUT_OF_CONTEXT.some(broken => broken.test(text))) return false
  for (const [joiner, mark, left, right] of text.matchAll(JOINER)) {
    // RFC 5892 §A.1 and §A.2: after a virama.
    if (mark !== undefined && hasGoodJoiners(LETTER_KA + mark + joiner)) continue
    // RFC 5892 §A.1: or, for a non-joiner, between letters that would join.
    if (left === undefined || right === undefined || !hasGoodJoiners(left + joiner + right)) return false
  }
  return true
}

function hasGoodJoiners (label: string): boolean {
  return !toUnicode(label, { checkJoiners: true }).error
}

/** RFC 5893 §2, for the string as one label: a comma replaces the dot, which has the same bidirectional class. */
function obeysBidiRule (text: string): boolean {
  return !MAYBE_RIGHT_TO_LEFT.test(text) || !toUnicode(text.replaceAll('.', ','), { checkBidi: true }).error
}
