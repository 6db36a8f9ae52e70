/** The handler of what nobody wants to know yet. */
export function ignore (): void {}
