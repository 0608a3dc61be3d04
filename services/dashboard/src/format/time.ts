/** Timestamps in the zone of the page. */

const PARTS = new Map<string, Intl.DateTimeFormat>();

function formatter(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let found = PARTS.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", options);
    PARTS.set(key, found);
  }
  return found;
}

export function isZone(zone: string): boolean {
  try {
    formatter(`probe ${zone}`, { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** 21 Nov 2026, 06:49:58 */
export function absolute(timestamp: string, zone: string): string {
  return formatter(`absolute ${zone}`, {
    timeZone: zone,
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(timestamp));
}

/** 21 Nov, 06:49 */
export function shortly(timestamp: string, zone: string): string {
  return formatter(`day-time ${zone}`, {
    timeZone: zone,
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  }).format(new Date(timestamp));
}

export function clock(timestamp: string, zone: string): string {
  return formatter(`clock ${zone}`, {
    timeZone: zone,
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(timestamp));
}

/** "3 min ago" within a day, else the date. */
export function relative(timestamp: string, now: number, zone: string): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(timestamp)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return shortly(timestamp, zone);
}

export function shortDay(timestamp: string, zone: string): string {
  return formatter(`short-day ${zone}`, { timeZone: zone, day: "numeric", month: "short" }).format(new Date(timestamp));
}

export type Bucket = "minute" | "5_minutes" | "15_minutes" | "hour" | "day" | "week" | "month" | "quarter" | "year";

const WITHIN_DAY: readonly Bucket[] = ["minute", "5_minutes", "15_minutes", "hour"];

/** A bucket on the axis: hours show a date at midnight only, days only their day and month. */
export function bucketLabel(start: string, bucket: Bucket, zone: string): string {
  const date = new Date(start);
  if (WITHIN_DAY.includes(bucket)) {
    const hour = formatter(`hour ${zone}`, { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(date);
    return hour === "00:00" ? dayLabel(date, zone) : hour;
  }
  if (bucket === "month")
    return formatter(`month ${zone}`, { timeZone: zone, month: "short", year: "2-digit" }).format(date);
  return bucket === "quarter" || bucket === "year" ? longTitle(date, bucket, zone) : dayLabel(date, zone);
}

function dayLabel(date: Date, zone: string): string {
  return formatter(`day ${zone}`, { timeZone: zone, day: "numeric", month: "short" }).format(date);
}

/** 2026, Q4 2026 */
function longTitle(date: Date, bucket: "quarter" | "year", zone: string): string {
  const year = formatter(`year ${zone}`, { timeZone: zone, year: "numeric" }).format(date);
  if (bucket === "year") return year;
  const month = Number(formatter(`month number ${zone}`, { timeZone: zone, month: "numeric" }).format(date));
  return `Q${Math.ceil(month / 3)} ${year}`;
}

export function bucketTitle(start: string, bucket: Bucket, zone: string): string {
  const date = new Date(start);
  if (bucket === "quarter" || bucket === "year") return longTitle(date, bucket, zone);
  if (bucket === "month")
    return formatter(`long month ${zone}`, { timeZone: zone, month: "long", year: "numeric" }).format(date);
  const day = formatter(`weekday ${zone}`, {
    timeZone: zone,
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
  });
  if (WITHIN_DAY.includes(bucket)) return `${day.format(date)}, ${clock(start, zone).slice(0, 5)}`;
  return bucket === "week" ? `week of ${day.format(date)}` : day.format(date);
}

/** The date in `zone`, `daysAgo` days before `now`: 2026-11-21. */
export function dateIn(zone: string, now: number, daysAgo = 0): string {
  const today = formatter(`iso ${zone}`, { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  const parts = Object.fromEntries(today.formatToParts(new Date(now)).map((part) => [part.type, part.value]));
  const shifted = new Date(Date.UTC(Number(parts["year"]), Number(parts["month"]) - 1, Number(parts["day"]) - daysAgo));
  return shifted.toISOString().slice(0, 10);
}

/** Sunday, of a date such as 2026-11-22. */
export function weekdayName(date: string): string {
  return formatter("weekday name", { timeZone: "UTC", weekday: "long" }).format(new Date(`${date}T00:00:00Z`));
}

/** Whether clocks are set in the bucket that starts at `start` and the next at `next`: a day of 23 or 25 hours. */
export function changesClocks(start: string, next: string): boolean {
  const hours = (Date.parse(next) - Date.parse(start)) / 3_600_000;
  return hours === 23 || hours === 25;
}

/** "UTC+2", of a zone at an instant. */
export function offsetOf(zone: string, instant: number): string {
  const parts = formatter(`offset ${zone}`, { timeZone: zone, timeZoneName: "shortOffset" }).formatToParts(instant);
  return (parts.find(({ type }) => type === "timeZoneName")?.value ?? "").replace("GMT", "UTC");
}

const DAY_MS = 86_400_000;

/** The days of `zone` on which clocks are set, between two instants, and how many hours each has. */
export function clockChanges(zone: string, from: number, to: number): { date: string; hours: number }[] {
  const changes: { date: string; hours: number }[] = [];
  for (let at = from; at < to; at += DAY_MS) {
    const next = Math.min(at + DAY_MS, to);
    if (offsetOf(zone, at) === offsetOf(zone, next)) continue;
    let [before, after] = [at, next];
    while (after - before > 60_000) {
      const middle = (before + after) / 2;
      if (offsetOf(zone, middle) === offsetOf(zone, at)) before = middle;
      else after = middle;
    }
    changes.push({ date: dateIn(zone, before), hours: 24 - minutesOf(offsetOf(zone, next), offsetOf(zone, at)) / 60 });
  }
  return changes;
}

/** How many minutes `offset` is ahead of `other`. */
function minutesOf(offset: string, other: string): number {
  const minutes = (text: string) => {
    const match = /UTC([+-])(\d+)(?::(\d+))?/.exec(text);
    return match ? (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3] ?? 0)) : 0;
  };
  return minutes(offset) - minutes(other);
}
