/** Figures as people read them. Unknown is null, and reads "unknown": it is never zero. */
import type { Digits } from "../api/json";
import { digitsOf } from "./decimal";

export type Maybe = Digits | null | undefined;

const TWO = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const PRECISE = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4, maximumFractionDigits: 20 });
const CENT = 0.01;

export const UNKNOWN = "unknown";

/** $1,332.78; $0.000042 below a cent. */
export function money(value: Maybe): string {
  if (value === null || value === undefined) return UNKNOWN;
  const amount = Number(value);
  const size = Math.abs(amount);
  const shown = size !== 0 && size < CENT ? PRECISE.format(size) : TWO.format(size);
  return `${amount < 0 ? "−" : ""}$${shown}`;
}

const WHOLE_DIGITS = 4; // behind the point: prices are read to their last digit as far as that

/** The price of a unit: $0.075, where an amount would read $0.08. */
export function unitMoney(value: Exclude<Maybe, null | undefined>): string {
  const digits = digitsOf(value);
  const decimals = digits.split(".")[1]?.length ?? 0;
  return decimals > 2 && decimals <= WHOLE_DIGITS ? `$${digits}` : money(value);
}

/** $12.4K from ten thousand dollars on; for tiles and axes. */
export function compactMoney(value: Maybe): string {
  if (value === null || value === undefined || Math.abs(Number(value)) < 10_000) return money(value);
  const amount = Number(value);
  return `${amount < 0 ? "−" : ""}$${COMPACT.format(Math.abs(amount))}`;
}

/** $0, $0.50, $0.015, $120, $12.4K: each step of an axis reads otherwise than the next. */
export function axisMoney(value: number): string {
  if (Math.abs(value) >= 1 || value === 0) return compactMoney(value).replace(/\.00$/, "");
  const digits = digitsOf(Number(value.toPrecision(6)));
  return `$${digits}${/\.\d$/.test(digits) ? "0" : ""}`;
}

/** Every digit, for the hover and the clipboard. */
export function exactMoney(value: Maybe): string {
  if (value === null || value === undefined) return UNKNOWN;
  const digits = digitsOf(value);
  return digits.startsWith("-") ? `−$${digits.slice(1)}` : `$${digits}`;
}

export function count(value: Maybe): string {
  return value === null || value === undefined ? UNKNOWN : WHOLE.format(Number(value));
}

/** "1 request", "2,012 requests". */
export function pluralize(value: Maybe, one: string): string {
  return `${count(value)} ${one}${Number(value) === 1 ? "" : "s"}`;
}

export function compactCount(value: Maybe): string {
  return value === null || value === undefined ? UNKNOWN : COMPACT.format(Number(value));
}

/** A share: 99.6 %. Less than all never rounds to 100 %, more than nothing never to 0 %. */
export function percent(share: Maybe, digits = 1): string {
  if (share === null || share === undefined) return UNKNOWN;
  const value = Number(share) * 100;
  const step = 10 ** -digits;
  if (value > 0 && value < step) return `< ${step} %`;
  const capped = value < 100 && value > 100 - step ? 100 - step : value;
  return `${value >= 1000 ? WHOLE.format(value) : Number(capped.toFixed(digits))} %`;
}

/** +$214.00, +19 %: neutral, since more spend is not bad by nature. */
export function moneyChange(absolute: Maybe, relative: Maybe): string {
  if (absolute === null || absolute === undefined) return UNKNOWN;
  const amount = Number(absolute);
  const sign = amount > 0 ? "+" : amount < 0 ? "−" : "";
  const size = Math.abs(amount);
  const shown = `${sign}${compactMoney(size)}`;
  if (relative === null || relative === undefined) return shown;
  return `${shown}, ${relativeChange(relative)}`;
}

const MANY_TIMES = 10;

/** +19 %; ×51 where it is more than ten times as much again. */
export function relativeChange(relative: Exclude<Maybe, null | undefined>): string {
  const share = Number(relative);
  if (share >= MANY_TIMES) return `×${WHOLE.format(share + 1)}`;
  const size = Math.abs(share) * 100;
  if (size > 0 && size < 0.05) return "< 0.1 %";
  const sign = share > 0 ? "+" : share < 0 ? "−" : "";
  return `${sign}${size < 10 ? Number(size.toFixed(1)) : WHOLE.format(size)} %`;
}

export function milliseconds(value: Maybe): string {
  if (value === null || value === undefined) return UNKNOWN;
  const ms = Number(value);
  return ms < 1000 ? `${Math.round(ms)} ms` : `${TWO.format(ms / 1000)} s`;
}
