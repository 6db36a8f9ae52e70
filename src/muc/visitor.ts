/** Who asks a room something, as the core's own handlers have them: with the room itself. */
import type { IqHandler, IqRequest, RoomVisitor } from '../extension/requests.ts'
import type { Occupant } from './room/occupant.ts'
import type { Room } from './room/room.ts'

export interface Visitor extends RoomVisitor {
  readonly room: Room
  readonly occupant: Occupant | undefined
}

type VisitorHandler = (request: IqRequest, visitor: Visitor) => ReturnType<IqHandler<'room'>>

export function visitorHandler (handle: VisitorHandler): IqHandler<'room'> {
  return handle as IqHandler<'room'> // the dispatcher is who makes visitors
}
