/** A handler that does nothing, in place of one that isn't set yet. */
export function ignore (): void {}
