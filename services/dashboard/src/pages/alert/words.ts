/** The server's answers as sentences of the page: with a capital and a full stop, and times in the page's zone. */
import { money } from "../../format/format";
import { absolute } from "../../format/time";

const TIMESTAMP = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;

export function withTimes(text: string, zone: string): string {
  return text.replace(TIMESTAMP, (timestamp) => absolute(timestamp, zone).slice(0, -3));
}

/** Amounts of many digits as the page has them: the answer of the API has all. */
export function withFigures(text: string): string {
  return text.replace(/(-?)(\$?)(\d[\d,]*\.\d{3,})/g, (_, sign: string, dollar: string, digits: string) => {
    const amount = Number(`${sign}${digits.replaceAll(",", "")}`);
    return dollar ? money(amount) : String(Number(amount.toFixed(2)));
  });
}

export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.?!]$/.test(whole) ? whole : `${whole}.`;
}
