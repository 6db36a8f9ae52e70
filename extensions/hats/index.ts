/**
 * XEP-0317: Hats, which are titles of users in a room beside their affiliations. Admins create and assign them by
 * ad-hoc commands, and occupants see them in presence.
 */
import { el, extension, form, Jid, message, NS_MUC_USER, StanzaError, table } from '../../src/extension/api.ts'
import type { Child, ExtensionHost, RoomView, RoomData } from '../../src/extension/api.ts'
import { HatStore } from './hat-store.ts'
import type { Hat } from './hat-store.ts'

const NS = 'urn:xmpp:hats:0'
const COMMANDS = 'urn:xmpp:hats:commands'

const MAX_HATS = 100
const MAX_WORN = 20
const MAX_WORN_BY_ALL = 1000
const MAX_LENGTH = 1024
/** XEP-0392 §5.1: an angle. */
const HUE = /^\d{1,3}(\.\d{1,20})?$/

type Values = ReadonlyMap<string, readonly string[]>

export const hats = extension({
  name: 'hats',
  xeps: ['0317@0.3.1'],
  setup (host) {
    const hatStores = host.rooms.data((db, room) => HatStore.load(db, room))
    host.disco.feature(NS, 'room')
    // §2
    host.rooms.info(room => {
      const { hash } = hatStores.of(room)
      return hash === undefined ? [] : [{ name: 'hats#hash', values: [hash], type: 'text-single', label: 'Hats hash' }]
    })
    host.on('room', 'present', (presence, room, { account }) => {
      const clean = presence.withoutPayload(isHats)
      const xml = hatStores.of(room).write(NS, account)
      return xml === undefined ? clean : clean.withWritten('hats', NS, xml)
    })
    host.when('room.forgotten', (room, account) => { hatStores.of(room).forget(account) })
    offerMaking(host, hatStores)
    offerWearing(host, hatStores)
    offerLists(host, hatStores)
  },
})

function isHats ({ ns }: Child): boolean {
  return ns === NS
}

/** §3.2 and §3.3. */
function offerMaking (host: ExtensionHost, hatStores: RoomData<HatStore>): void {
  host.rooms.command({
    node: `${COMMANDS}:create`,
    name: 'Create a hat',
    form ({ room }, from) {
      checkAdmin(room, from)
      return form('form', COMMANDS, [
        { name: 'hats#title', values: [], type: 'text-single', label: 'Title', isRequired: true },
        { name: 'hats#uri', values: [], type: 'text-single', label: 'URI', isRequired: true },
        { name: 'hats#hue', values: [], type: 'text-single', label: 'Hue, from 0 to 360' },
      ], 'Create a hat')
    },
    async run (values, { room }, from) {
      checkAdmin(room, from)
      const hatStore = hatStores.of(room)
      const hat = readHat(values)
      if (!hatStore.hat(hat.uri) && hatStore.hats.length >= MAX_HATS) throw tooManyHats()
      await hatStore.keep(host.db, hat)
      notify(host, room, hatStore.wearers(hat.uri))
      return `The hat ${hat.title} was created`
    },
  })
  host.rooms.command({
    node: `${COMMANDS}:destroy`,
    name: 'Destroy a hat',
    form ({ room }, from) {
      checkAdmin(room, from)
      return form('form', COMMANDS, [hatField(hatStores.of(room))], 'Destroy a hat')
    },
    async run (values, { room }, from) {
      checkAdmin(room, from)
      const hatStore = hatStores.of(room)
      const { uri, title } = hatIn(hatStore, values)
      const wearers = hatStore.wearers(uri)
      await hatStore.discard(host.db, uri)
      notify(host, room, wearers)
      return `The hat ${title} was destroyed`
    },
  })
}

/** §3.5 and §3.6. */
function offerWearing (host: ExtensionHost, hatStores: RoomData<HatStore>): void {
  type Change = (hatStore: HatStore, uri: string, account: Jid) => Promise<void>
  const offer = (verb: string, name: string, done: string, change: Change): void => {
    host.rooms.command({
      node: `${COMMANDS}:${verb}`,
      name,
      form ({ room }, from) {
        checkAdmin(room, from)
        return form('form', COMMANDS, [
          { name: 'hats#jid', values: [], type: 'jid-single', label: 'Address of the user', isRequired: true },
          hatField(hatStores.of(room)),
        ], name)
      },
      async run (values, { room }, from) {
        checkAdmin(room, from)
        const account = accountIn(values)
        const { uri, title } = hatIn(hatStores.of(room), values)
        await change(hatStores.of(room), uri, account)
        rebroadcastPresence(host, room, [account.toString()])
        return `${account} ${done} the hat ${title}`
      },
    })
  }
  offer('assign', 'Assign a hat to a user', 'now has', (hatStore, uri, account) => {
    if (hatStore.count(account) >= MAX_WORN || [...hatStore.worn()].length >= MAX_WORN_BY_ALL) {
      throw tooManyHats()
    }
    return hatStore.putOn(host.db, uri, account)
  })
  offer('unassign', 'Remove a hat from a user', 'no longer has',
    (hatStore, uri, account) => hatStore.takeOff(host.db, uri, account))
}

/** §3.4 and §3.7. */
function offerLists (host: ExtensionHost, hatStores: RoomData<HatStore>): void {
  host.rooms.command({
    node: `${COMMANDS}:list`,
    name: 'List the hats of this room',
    report ({ room }, from) {
      checkVisitor(room, from)
      return table(COMMANDS, 'Hats', ['hats#title', 'hats#uri', 'hats#hue'],
        hatStores.of(room).hats.map(({ title, uri, hue }) => [title, uri, hue]))
    },
  })
  host.rooms.command({
    node: `${COMMANDS}:list-assigned`,
    name: 'List the users with hats',
    report ({ room }, from) {
      checkVisitor(room, from)
      if (!room.isNonAnonymous) checkIsAdmin(room, from)
      return table(COMMANDS, 'List the users with hats', ['hats#jid', 'hats#uri', 'hats#title', 'hats#hue'],
        [...hatStores.of(room).worn()].map(({ account, hat: { uri, title, hue } }) => [account, uri, title, hue]))
    },
  })
}

/** Hats are visible to occupants, and to members who may join. */
function checkVisitor (room: RoomView, from: Jid): void {
  if (!room.isInsider(from)) throw new StanzaError('forbidden', 'enter the room to see its hats')
}

function checkIsAdmin (room: RoomView, from: Jid): void {
  if (['admin', 'owner'].includes(room.affiliationOf(from))) return
  throw new StanzaError('forbidden', 'only owners and admins of the room may do this')
}

/** Hats are stored with the room, which is not stored while it is locked. */
function checkAdmin (room: RoomView, from: Jid): void {
  checkIsAdmin(room, from)
  if (room.isLocked) throw new StanzaError('unexpected-request', 'the room has not been configured yet')
}

function readHat (values: Values): Hat {
  const textOf = (name: string): string => values.get(name)?.[0]?.trim() ?? ''
  const [title, uri, hue] = [textOf('hats#title'), textOf('hats#uri'), textOf('hats#hue')]
  if (title === '' || uri === '' || Math.max(title.length, uri.length) > MAX_LENGTH) {
    throw new StanzaError('bad-request', `a hat needs a title and a URI of at most ${MAX_LENGTH} characters each`)
  }
  if (hue !== '' && !(HUE.test(hue) && Number(hue) <= 360)) {
    throw new StanzaError('bad-request', 'the hue must be a number from 0 to 360')
  }
  return { title, uri, hue: hue === '' ? undefined : hue }
}

function hatField (hatStore: HatStore): Parameters<typeof form>[2][number] {
  const choices = hatStore.hats.map(({ uri, title }) => ({ value: uri, label: title }))
  return { name: 'hats#uri', values: [], type: 'list-single', label: 'Hat', choices }
}

function hatIn (hatStore: HatStore, values: Values): Hat {
  const hat = hatStore.hat(values.get('hats#uri')?.[0] ?? '')
  if (!hat) throw new StanzaError('item-not-found', 'the room has no such hat')
  return hat
}

function accountIn (values: Values): Jid {
  const account = Jid.tryParse(values.get('hats#jid')?.[0] ?? '')?.bare
  if (!account?.local) throw new StanzaError('bad-request', 'enter the address of a user')
  return account
}

/** §3.2: notifies the occupants of a changed list, and of the hats of these accounts. */
function notify (host: ExtensionHost, room: RoomView, accounts: readonly string[]): void {
  const status = el('x', NS_MUC_USER, {}, el('status', NS_MUC_USER, { code: '104' }))
  host.rooms.broadcast(room, message('groupchat', { from: room.jid }, status))
  rebroadcastPresence(host, room, accounts)
}

function rebroadcastPresence (host: ExtensionHost, room: RoomView, accounts: readonly string[]): void {
  for (const occupant of room.occupants.values()) {
    if (accounts.includes(occupant.account.toString())) host.rooms.rebroadcastPresence(room, occupant)
  }
}

function tooManyHats (): StanzaError {
  return new StanzaError('resource-constraint', 'too many hats: remove one first')
}
