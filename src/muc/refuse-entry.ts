/** XEP-0045 §7.2.5: the answer to who may not come in has the element in it by which he asked: clients look for it. */
import type { StanzaError } from '../xmpp/errors.ts'
import { errorReply } from '../xmpp/stanza.ts'
import type { Presence } from '../xmpp/stanza.ts'
import { post } from './muc.ts'
import type { Muc } from './muc.ts'
import { NS_MUC } from './ns.ts'

/** Tells somebody why he is not in. */
export function refuseEntry (muc: Muc, request: Presence, error: StanzaError): void {
  const reply = errorReply(request, error)
  if (reply.kind === 'presence') post(muc, reply.withWritten('x', NS_MUC, `<x xmlns='${NS_MUC}'/>`))
}
