/** Ranges as the API takes them, and the buckets that fit into them. */
import { type Bucket, dateIn } from "../format/time";
import type { RangeName, Search } from "./search";

export const DEFAULT_RANGE: RangeName = "7d";

export const RANGE_TITLES: Record<RangeName, string> = {
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "28d": "Last 28 days",
  "90d": "Last 90 days",
  week: "This week",
  "last-week": "Last week",
  month: "This month",
  "last-month": "Last month",
};

export interface TimeFilter {
  start?: string;
  end?: string;
  since?: string;
}

const DAYS: Partial<Record<RangeName, number>> = { "7d": 7, "28d": 28, "90d": 90 };
const DAY_MS = 86_400_000;

/** Days are calendar days of the zone, and today is one of them. */
export function timeFilterOf(search: Search, zone: string, now: number): TimeFilter {
  if (search.from) return search.to ? { start: search.from, end: search.to } : { start: search.from };
  const range = search.range ?? DEFAULT_RANGE;
  const days = DAYS[range];
  if (days) return { start: dateIn(zone, now, days - 1) };
  if (range === "24h") return { since: "24h" };
  const monday = dateIn(zone, now, daysSinceMonday(dateIn(zone, now)));
  if (range === "week") return { start: monday };
  if (range === "last-week") return { start: dateIn(zone, now, daysSinceMonday(dateIn(zone, now)) + 7), end: monday };
  const first = `${dateIn(zone, now).slice(0, 8)}01`;
  if (range === "month") return { start: first };
  return { start: `${monthBefore(first)}`, end: first };
}

/** When the range begins, as the lists that have no end take it: a span such as 24h, a date of the zone, or a time. */
export function sinceOf({ start, since }: TimeFilter): string {
  return start ?? since ?? "28d";
}

/** Whether more may still come: the range has no end, or one that is yet to be. */
export function isRunning({ end }: TimeFilter, now: number): boolean {
  return !end || Date.parse(end) > now;
}

export function daysSinceMonday(date: string): number {
  return (new Date(date).getUTCDay() + 6) % 7;
}

export function monthBefore(first: string): string {
  const date = new Date(`${first}T00:00:00Z`);
  date.setUTCMonth(date.getUTCMonth() - 1);
  return date.toISOString().slice(0, 10);
}

export function bucketOf(search: Search, now: number): Bucket {
  if (!search.from) return search.range === "24h" ? "hour" : "day";
  const days = ((search.to ? Date.parse(search.to) : now) - Date.parse(search.from)) / DAY_MS;
  if (days <= 3) return "hour";
  if (days <= 100) return "day";
  return days <= 400 ? "week" : "month";
}

function isDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text);
}

function dayText(date: string): string {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
  return format.format(new Date(date));
}

export function rangeTitle(search: Search, zone: string): string {
  if (!search.from) return RANGE_TITLES[search.range ?? DEFAULT_RANGE];
  if (isDate(search.from) && (!search.to || isDate(search.to))) {
    const last = search.to && new Date(Date.parse(search.to) - DAY_MS).toISOString();
    return `${dayText(search.from)} – ${last ? dayText(last) : "now"}`;
  }
  const shown = (timestamp: string) =>
    new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      day: "numeric",
      month: "short",
      hour: "2-digit",
      minute: "2-digit",
    }).format(new Date(timestamp));
  return `${shown(search.from)} – ${search.to ? shown(search.to) : "now"}`;
}
