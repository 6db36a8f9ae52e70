/** XEP-0045 §16: the namespaces, form types and feature names of Multi-User Chat that more than one file knows. */
import { NS_MUC } from '../xmpp/ns.ts'

export { NS_MUC, NS_MUC_USER } from '../xmpp/ns.ts'

/** §16.1. */
export const NS_MUC_ADMIN = `${NS_MUC}#admin`
export const NS_MUC_OWNER = `${NS_MUC}#owner`

/** §16.5: what forms are about. */
export const ROOM_CONFIG = `${NS_MUC}#roomconfig`
export const ROOM_INFO = `${NS_MUC}#roominfo`
export const REGISTRATION = `${NS_MUC}#register`
export const VOICE_REQUEST = `${NS_MUC}#request`
