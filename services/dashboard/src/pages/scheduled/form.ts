/** A scheduled report as it is typed, as the API takes it, and in words. */
import type { ScheduledReport } from "../../api/channels";
import type { View } from "../../api/client";
import { groupingOf } from "../../api/queries";
import { COLUMNS, titleOf, writtenOf } from "../../state/filter";

export type Typed = (name: string) => string;
type Schedule = Pick<ScheduledReport["schedule"], "every" | "hour" | "minute" | "weekday" | "day" | "time_zone">;

/** As the server calls what it refuses. */
export const FIELDS = ["name", "time_zone", "channel_ids", "measures", "by"] as const;

export const WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] as const;
/** What most reports show; others are typed by their names. */
export const MEASURES = "cost_usd, requests, total_tokens";

export interface Query {
  measures: string[];
  by?: Record<string, string>[];
  [name: string]: unknown;
}

export function queryOf({ query }: Pick<ScheduledReport, "query">): Query | undefined {
  return query === null ? undefined : (query as Query);
}

const TIMES: readonly string[] = [
  "minute",
  "5_minutes",
  "15_minutes",
  "hour",
  "day",
  "week",
  "month",
  "quarter",
  "year",
] satisfies View<"ByTimeRequest">["time"][];

type Group = Record<string, string>;

/** A time bucket, a column, else a property: as people call them. */
function groupTyped(name: string): Group {
  const lower = name.toLowerCase();
  if (TIMES.includes(lower)) return { time: lower };
  const column = COLUMNS.find((one) => one.name === lower || one.title.toLowerCase() === lower);
  return column ? { column: column.name } : groupingOf(`@${name.replace(/^@/, "")}`);
}

/** As it is typed: a property that is called like a time or a column has its mark. */
function groupText({ time, column, property = "" }: Group): string {
  if (time !== undefined) return time;
  if (column !== undefined) return titleOf(column);
  return TIMES.includes(property.toLowerCase()) ? `@${property}` : writtenOf(`@${property}`);
}

export function groupsText(by: readonly Group[] = []): string {
  return by.map(groupText).join(", ");
}

/** What stood there before stays what it was, whatever it is called. */
function groupsTyped(text: string, before: Group[] = []): Group[] {
  if (text === groupsText(before)) return before;
  return listed(text).map((name) => before.find((group) => groupText(group) === name) ?? groupTyped(name));
}

const listed = (text: string): string[] =>
  text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);

/** `before`: what the report asked until now. What the form does not show of it, such as a filter, stays. */
export function reportBody(typed: Typed, channelIds: readonly string[], before?: Query) {
  const [hour = "8", minute = "0"] = typed("at").split(":");
  const isTable = typed("what") === "table";
  return {
    name: typed("name"),
    schedule: {
      every: typed("every"),
      hour: Number(hour),
      minute: Number(minute),
      weekday: Number(typed("weekday")) || 1,
      day: Number(typed("day")) || 1,
      time_zone: typed("zone"),
    },
    channel_ids: [...channelIds],
    query: isTable
      ? { ...before, measures: listed(typed("measures")), by: groupsTyped(typed("by"), before?.by) }
      : null,
  };
}

/** "every Monday at 08:00". */
export function scheduleText({ every, hour, minute, weekday, day }: Schedule): string {
  const at = `at ${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
  if (every === "week") return `every ${WEEKDAYS[Number(weekday) - 1]} ${at}`;
  return every === "month" ? `on day ${day} of every month ${at}` : `every day ${at}`;
}

/** "Costs by environment and feature, users, the cache", or the figures that it asks for. */
export function contentText(report: Pick<ScheduledReport, "query">): string {
  const query = queryOf(report);
  if (!query) return "costs by environment and feature, users, the cache";
  const by = query.by ?? [];
  const groups = by.length ? ` by ${by.map(groupText).join(" and ")}` : "";
  const filtered = query["filter"] && query["filter"] !== "all" ? ", filtered" : "";
  return `${query.measures.map((name) => name.replaceAll("_", " ").replace(" usd", "")).join(", ")}${groups}${filtered}`;
}
