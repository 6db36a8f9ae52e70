/** Lists that things are added to, and removed from by whoever added them. */

/** Appends the item to the list. The returned function removes it; called again, it does nothing. */
export function addTo<T> (list: T[], item: T): () => void {
  list.push(item)
  let isIn = true
  return () => {
    if (isIn) list.splice(list.indexOf(item), 1)
    isIn = false
  }
}
