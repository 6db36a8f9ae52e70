/** How far members have got, as far as the database does not know yet: one place for each, however often it moves. */

/** Numbers of the room's archive. */
export interface Position {
  readonly room: string
  readonly account: string
  readonly delivered: number
  readonly displayed: number
}

export class Positions {
  #moved = new Map<string, Position>()

  /** A place only moves forwards. */
  move (room: string, account: string, delivered: number, displayed: number): void {
    const key = keyOf(room, account)
    const before = this.#moved.get(key)
    this.#moved.set(key, {
      room, account,
      delivered: Math.max(delivered, before?.delivered ?? 0), displayed: Math.max(displayed, before?.displayed ?? 0),
    })
  }

  /** Nobody asks for it any more. */
  forget (room: string, account: string): void {
    this.#moved.delete(keyOf(room, account))
  }

  /** All of them, once. */
  take (): readonly Position[] {
    const moved = [...this.#moved.values()]
    this.#moved = new Map()
    return moved
  }

  /** What could not be told to the database. */
  putBack (positions: readonly Position[]): void {
    for (const { room, account, delivered, displayed } of positions) this.move(room, account, delivered, displayed)
  }
}

function keyOf (room: string, account: string): string {
  return `${room}\0${account}`
}
