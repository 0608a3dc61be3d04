/** The list that a request was opened from: `j` and `k` go through it. */
let listed: readonly string[] = [];

export function rememberList(keys: readonly string[]): void {
  listed = keys;
}

/** Of `key` in that list, so many rows further; undefined where the list does not say. */
export function besideInList(key: string, step: 1 | -1): string | undefined {
  const at = listed.indexOf(key);
  return at < 0 ? undefined : listed[at + step];
}
