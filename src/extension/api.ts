/**
 * The public API. host.ts has the interface of an extension and its host, points.ts the stages and events, requests.ts
 * the requests that it can answer. An extension imports this file and nothing else of the core; the core doesn't import
 * it.
 */
export { batchedRead } from '../storage/batches.ts'
export { int8Array, textArray } from '../storage/binary-array.ts'
export { GroupWriter } from '../storage/group-writer.ts'
export { QUERY_CANCELED } from '../storage/reading.ts'
export { FinalError, sqlState, withRetries } from '../storage/retries.ts'
export { inBackground, neverRejects } from '../util/background.ts'
export { FairQueue, FullError } from '../util/fair-queue.ts'
export { randomId } from '../util/ids.ts'
export { inSlices, nextSlice } from '../util/slices.ts'
export { networkOf } from '../util/network-of.ts'
export { Shares } from '../util/shares.ts'
export type { Portion } from '../util/shares.ts'
export { Turns } from '../util/turns.ts'
export { RateLimit } from '../util/rate-limit.ts'
export { VERSION } from '../util/version.ts'
export { el } from '../xml/element.ts'
export { escapeAttribute } from '../xml/write.ts'
export { Written } from '../xml/written.ts'
export { checkAddressList, parseAddress } from '../xmpp/addresses.ts'
export { SaslError, StanzaError, StreamError } from '../xmpp/errors.ts'
export { form, formValues, table } from '../xmpp/forms.ts'
export { delay, forwarded, undelayedContent } from '../xmpp/forward.ts'
export { Jid, JidError } from '../xmpp/jid.ts'
export { NS_CLIENT, NS_MUC_USER } from '../xmpp/ns.ts'
export { MAX_HEADER, storedStanza } from '../xmpp/read-stanza.ts'
export { briefTextIn } from '../xmpp/reason.ts'
export { leftRoom } from '../xmpp/room-status.ts'
export { iq, message, messageWith, presence } from '../xmpp/stanza.ts'
export { storedTree } from '../xmpp/stored-tree.ts'
export { NS_STANZA_ID, originId, stamp } from '../xmpp/stanza-id.ts'
export { AccountConversion } from './account-conversion.ts'
export { extension } from './host.ts'
export { SESSION_FLAGS } from './session-flags.ts'
export type { Logger } from '../log.ts'
export type { Database } from '../storage/database.ts'
export type { ArchiveIds } from '../xmpp/archive-ids.ts'
export type { Keeper } from '../xmpp/stanza-id.ts'
export type { Element } from '../xml/element.ts'
export type { Affiliation, Role } from '../xmpp/muc.ts'
export type { Child } from '../xml/framer.ts'
export type { Content, Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
export type { AccountCommands, AccountData } from './facets/accounts.ts'
export type { ClusterFacet } from './facets/cluster.ts'
export type { DiscoTarget } from './facets/disco.ts'
export type { NodeArchive, NodeBehaviour, StoredItem } from './facets/pubsub.ts'
export type { RoomData } from './facets/rooms.ts'
export type { Extension, ExtensionHost } from './host.ts'
export type {
  AffiliationChange, Note, ReplicatedState, Events, WriteWithArchive, WriteWithAffiliations, Point, Stages, Stored,
  Verdict,
} from './points.ts'
export type {
  ArchivedMessage, ConversationSearch, ConversationSide, DeliveryPosition, MessageArchive, NumberRange, SentId,
} from './message-archive.ts'
export type { RoomOption, Values } from './room-option.ts'
export type {
  AccountInfo, AccountView, OccupantSessionView, OccupantView, RoomView, SessionInfo, SessionView,
} from './views.ts'
export type {
  Command, IqHandler, IqRequest, IqRoute, IqSender, IqTarget, NonzaHandler, OfferedStream, Resumption, RoomCommand,
  RoomVisitor, StreamPeer,
} from './requests.ts'
