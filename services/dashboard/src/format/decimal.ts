/** Sums of amounts, exact: digits in, digits out, without a double in between. */
import type { Digits } from "../api/json";

const SCALE = 30;

function scaled(value: Digits): bigint {
  const text = typeof value === "number" ? String(value) : value;
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) throw new RangeError(`not a number: ${text}`);
  const [, sign, whole = "0", fraction = "", exponent = "0"] = match;
  const shift = SCALE - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const amount = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return sign ? -amount : amount;
}

function plain(amount: bigint): string {
  const negative = amount < 0n;
  const digits = String(negative ? -amount : amount).padStart(SCALE + 1, "0");
  const fraction = digits.slice(-SCALE).replace(/0+$/, "");
  return `${negative ? "-" : ""}${digits.slice(0, -SCALE)}${fraction ? `.${fraction}` : ""}`;
}

export function sum(values: readonly Digits[]): string {
  return plain(values.reduce<bigint>((total, value) => total + scaled(value), 0n));
}

export function difference(from: Digits, less: Digits): string {
  return plain(scaled(from) - scaled(less));
}

/** `value` without an exponent. */
export function digitsOf(value: Digits): string {
  return plain(scaled(value));
}
