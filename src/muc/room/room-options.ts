/** The options of rooms: the core's, in the order of the owner's form, and those of extensions. */
import type { RoomOption, Values } from '../../extension/room-option.ts'
import type { RoomFacts } from '../../extension/facets/rooms.ts'
import type { Field } from '../../xmpp/forms.ts'
import { allowInvites } from './options/allow-invites.ts'
import { allowPrivateMessages } from './options/allow-private-messages.ts'
import { changeSubject } from './options/change-subject.ts'
import { defaultHistory } from './options/default-history.ts'
import { description } from './options/description.ts'
import { historyLength } from './options/history-length.ts'
import { language } from './options/language.ts'
import { logging } from './options/logging.ts'
import { maxUsers } from './options/max-users.ts'
import { memberList } from './options/member-list.ts'
import { membersOnly } from './options/members-only.ts'
import { moderated } from './options/moderated.ts'
import { password } from './options/password.ts'
import { persistent } from './options/persistent.ts'
import { presenceBroadcast } from './options/presence-broadcast.ts'
import { publicList } from './options/public-list.ts'
import { publicRoom } from './options/public-room.ts'
import { pubsub } from './options/pubsub.ts'
import { roomName } from './options/room-name.ts'
import { visitorNick } from './options/visitor-nick.ts'
import { visitorStatus } from './options/visitor-status.ts'
import { voiceInterval, voiceRequests } from './options/voice-requests.ts'
import { whois } from './options/whois.ts'
import { addTo } from '../../util/add-to.ts'
import type { Room } from './room.ts'

/** Values of options; others have the default. */
export type Config = ReadonlyMap<RoomOption<unknown>, unknown>

export class RoomOptions {
  readonly maxUsers: RoomOption<number>
  readonly historyLength: RoomOption<number>
  readonly defaultHistory: RoomOption<number>
  readonly #all: RoomOption<unknown>[]
  readonly #facts: RoomFacts[] = []

  /** The limits are the service's own. */
  constructor ({ occupants, history }: { readonly occupants: number, readonly history: number }) {
    this.maxUsers = maxUsers(occupants)
    this.historyLength = historyLength(history)
    this.defaultHistory = defaultHistory(history)
    this.#all = [
      roomName,
      description,
      language,
      pubsub,
      persistent,
      publicRoom,
      publicList,
      membersOnly,
      allowInvites,
      memberList,
      password, whois, moderated, presenceBroadcast, visitorStatus, visitorNick, voiceRequests, voiceInterval,
      allowPrivateMessages, changeSubject, this.maxUsers, this.historyLength, this.defaultHistory, logging,
    ]
  }

  /** The function that is returned removes the option. */
  add<T> (option: RoomOption<T>): () => void {
    return addTo(this.#all, option)
  }

  /** The function that is returned removes them. */
  addFacts (facts: RoomFacts): () => void {
    return addTo(this.#facts, facts)
  }

  /** The values that a form changes; throws StanzaError not-acceptable. */
  parse (values: Values, before: Config): Config {
    return new Map(this.#all.map(option => [option, option.parse(values, valueIn(before, option))]))
  }

  /** The configuration that is stored as fields of a form. */
  restore (values: Values): Config {
    return new Map(this.#all.map(option => [option, option.restore?.(values) ?? option.parse(values, option.initial)]))
  }

  fields (config: Config): readonly Field[] {
    return this.#all.flatMap(option => option.fields(valueIn(config, option)))
  }

  features (config: Config): readonly string[] {
    return this.#all.flatMap(option => option.features?.(valueIn(config, option)) ?? [])
  }

  info (room: Room): readonly Field[] {
    return [
      ...this.#all.flatMap(option => option.info?.(valueIn(room.config, option)) ?? []),
      ...this.#facts.flatMap(facts => facts(room)),
    ]
  }
}

/** What an option is set to. */
export function valueIn<T> (config: Config, option: RoomOption<T>): T {
  const value = config.get(option)
  return value === undefined ? option.initial : value as T // put in under the same option, in `RoomOptions.parse`
}
