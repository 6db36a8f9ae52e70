/**
 * XEP-0463: MUC Affiliations Versioning. A user who joins, and may see a room's lists, sends the version that the
 * client has, and gets the changes since, or all affiliations for an unknown version; each notification of a change
 * contains its version.
 */
import { createHmac, createSecretKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { extension, inBackground, message, NS_MUC_USER, StanzaError } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, Jid, OccupantSessionView, RoomView, RoomData } from '../../src/extension/api.ts'
import { Versions } from './versions.ts'
import type { Versioned } from './versions.ts'

const NS = 'urn:xmpp:muc:affiliations:1'

/** The items of one message; those of one version are not split. */
const MAX_ITEMS = 500

export const affiliationVersions = extension({
  name: 'affiliation-versions',
  xeps: ['0463@0.2.0'],
  setup (host) {
    host.disco.feature(NS, 'room') // §4
    const versions = host.rooms.data((db, room) => Versions.load(db, room))
    const names = namer(host)
    host.rooms.writeWithAffiliations((db, room, changes) => versions.of(room).write(db, room, changes))
    host.when('room.forgotten', (room, account) => versions.of(room).forget(host.db, room, account))
    // §5.2.2
    host.on('room', 'changed', ({ jid, affiliation, before }, room) => {
      const until = versions.of(room).of(jid)
      if (room.isLocked || until === undefined || affiliation === before) return
      return `<mav xmlns='${NS}' since='${names.name(room, until - 1)}' until='${names.name(room, until)}'/>`
    })
    host.on('room', 'entered', (request, room, session) => {
      const asked = request?.getChild('mav', NS)
      if (!asked || room.isLocked) return
      if (maySee(room, session.jid)) bringUpToDate({ host, names, versions }, room, session, asked)
      // §5.2.3
      else host.messages.bounce(message('normal', { from: session.jid, to: room.jid }), new StanzaError('forbidden'))
    })
    // §5.2.1
    host.on('room', 'welcome', (room, session) => {
      if (room.isLocked || !maySee(room, session.jid)) return
      return `<mav xmlns='${NS}' until='${names.name(room, versions.of(room).last(room))}'/>`
    })
  },
})

/** §5.2.3: the rights are those of requests for the lists. The list of outcasts has its own. */
function maySee (room: RoomView, jid: Jid): boolean {
  return (['owner', 'admin', 'member'] as const).every(list => room.mayList(jid, list))
}

interface VersionTokens {
  readonly name: (room: RoomView, version: number) => string
  /** Undefined for a token that the room has never issued. */
  readonly read: (room: RoomView, name: string) => number | undefined
}

/** §6: versions are sent as tokens with a proof, so that nobody can guess one and learn of changes before the join. */
function namer (host: ExtensionHost): VersionTokens {
  let secret: Buffer | undefined
  const secrets: RoomData<KeyObject> = host.rooms.data(async (_db, room) => {
    secret ??= await host.secret('affiliation-versions')
    return createSecretKey(createHmac('sha256', secret).update(room.toString()).digest())
  })
  const name = (room: RoomView, version: number): string => {
    const proof = createHmac('sha256', secrets.of(room)).update(String(version)).digest('base64url').slice(0, 16)
    return `${version.toString(36)}.${proof}`
  }
  return {
    name,
    read (room, text) {
      const version = parseInt(text, 36)
      return Number.isSafeInteger(version) && name(room, version) === text ? version : undefined
    },
  }
}

interface Parts { readonly host: ExtensionHost, readonly names: VersionTokens, readonly versions: RoomData<Versions> }

/** §5.2.1: sends the changes, before the presence of other occupants. */
function bringUpToDate (
  { host, names, versions }: Parts,
  room: RoomView,
  session: OccupantSessionView,
  asked: Element,
): void {
  const all = versions.of(room)
  const last = all.last(room)
  const known = names.read(room, asked.attrs['since'] ?? '')
  if (known === last) return
  const changed = known === undefined ? undefined : all.since(known, room)
  const seesOutcasts = room.mayList(session.jid, 'outcast')
  const told = changed
    ? changed.map(one =>
      one.affiliation === 'outcast' && !seesOutcasts ? { ...one, affiliation: 'none' as const } : one
    )
    : all.all(room).filter(({ affiliation }) => affiliation !== 'outcast' || seesOutcasts)
  const parts = inParts(told)
  let next = 0
  let since = changed && known !== undefined ? ` since='${names.name(room, known)}'` : ''
  // each is written when it is its turn
  inBackground(host.log, 'affiliation changes', host.rooms.sendInOrder(room, parts, part => {
    const until = names.name(room, ++next === parts.length ? last : part.at(-1)?.version ?? last)
    const one = message('normal', { from: room.jid, to: session.jid }).withWritten(
      'x',
      NS_MUC_USER,
      writePart(part, since, until),
    )
    since = ` since='${until}'`
    host.messages.route(one)
    return one.weight
  }))
}

/** As text, since a tree of so many elements is far more expensive. */
function writePart (part: readonly Versioned[], since: string, until: string): string {
  let items = ''
  for (const { jid, affiliation } of part) items += `<item jid='${jid.attribute}' affiliation='${affiliation}'/>`
  return `<x xmlns='${NS_MUC_USER}'><mav xmlns='${NS}'${since} until='${until}'/>${items}</x>`
}

/** At least one part. Each ends with a complete version, from which a client can continue. */
function inParts (told: readonly Versioned[]): readonly (readonly Versioned[])[] {
  const parts: Versioned[][] = [[]]
  for (const one of told) {
    const part = parts.at(-1) ?? []
    const isFull = part.length >= MAX_ITEMS && part.at(-1)?.version !== one.version
    if (isFull) parts.push([one])
    else part.push(one)
  }
  return parts
}
