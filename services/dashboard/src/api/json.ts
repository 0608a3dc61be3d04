/** JSON without loss: an amount is exact to 1e-12 and may have more digits than a double holds. */

/** A number of the API as it came: whole ones that a double holds are numbers, all others their digits. */
export type Digits = number | string;

/** What `parseExactly` makes of a type that the API's documentation describes. */
export type Lossless<T> = T extends number
  ? Digits
  : T extends (infer Item)[]
    ? Lossless<Item>[]
    : T extends object
      ? { [Key in keyof T]: Lossless<T[Key]> }
      : T;

// A string is passed over whole, so that digits within one stay as they are.
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function quoted(token: string): string {
  if (token.startsWith('"')) return token;
  const whole = /^-?\d+$/.test(token) && Number.isSafeInteger(Number(token));
  return whole ? token : `"${token}"`;
}

export function parseExactly(text: string): unknown {
  return JSON.parse(text.replace(TOKENS, quoted));
}
