/**
 * XEP-0249: Direct MUC Invitations. They go from user to user; where the one who invites may make members of a
 * members-only room, the one who is invited becomes one, as if the room had been asked.
 */
import type { ExtensionHost } from '../extension/api.ts'
import { Jid, JidError } from '../xmpp/jid.ts'
import { noteInvitation } from './invitation.ts'
import { roomsDomain } from './muc.ts'
import type { Muc } from './muc.ts'
import type { Room } from './room.ts'

const NS = 'jabber:x:conference'

/** Watches what accounts send; `inRoom` does something in a room's turn. */
export function registerInvitations (
  host: ExtensionHost, muc: Muc, inRoom: (jid: Jid, task: (room: Room) => Promise<void>) => Promise<void>,
): void {
  host.on('send', 'fanout', (message, sender) => {
    const invitee = message.to
    if (!invitee || message.type === 'groupchat' || !message.has('x', NS)) return
    const room = roomIn(message.payload('x', NS)?.attrs['jid'])
    if (!room || !host.hosts.some(served => roomsDomain(served) === room.domain)) return
    inRoom(room, found => noteInvitation(muc, found, sender.jid, invitee))
      .catch(error => { host.log.error({ err: error }, 'who was invited could not be made a member') })
  })
}

function roomIn (text: string | undefined): Jid | undefined {
  try {
    return text === undefined ? undefined : Jid.parse(text).bare
  } catch (error) {
    if (error instanceof JidError) return
    throw error
  }
}
