/** The key that was typed to sign in: in the memory of this page, and nowhere else. The cookie does not hold it. */
let typed = "";

export function keepTyped(key: string): void {
  typed = key;
}

/** '' after the page was loaded again. */
export function typedKey(): string {
  return typed;
}
