/** The known word most similar to an unknown one, for "did you mean" in error texts. */

/** The nearest of `words` by Damerau-Levenshtein distance; undefined if none is near (about a third of its length). */
export function nearest (word: string, words: Iterable<string>): string | undefined {
  let best: string | undefined
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of words) {
    const edits = countEdits(word.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) [best, fewest] = [candidate, edits]
  }
  return best
}

function countEdits (from: string, to: string): number {
  let before: readonly number[] = []
  let row: readonly number[] = Array.from({ length: to.length + 1 }, (_, j) => j)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1]
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]
      next.push(Math.min(
        cell(next, j - 1) + 1, cell(row, j) + 1, cell(row, j - 1) + (isSame ? 0 : 1),
        isSwapped ? cell(before, j - 2) + 1 : Infinity,
      ))
    }
    [before, row] = [row, next]
  }
  return cell(row, to.length)
}

function cell (row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
