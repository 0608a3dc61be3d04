/** What the overview asks: what is read first alone, and so as little as that needs; then what stands around it. */
import type { Body } from "../../api/client";
import { groupingOf, type ReportBody } from "../../api/queries";
import { dateIn } from "../../format/time";
import { daysSinceMonday } from "../../state/range";
import type { ViewState } from "../../state/view";

const SPEND = ["cost_usd", "requests"];
const SAVED = "cache_savings_usd";
const FIGURES = [...SPEND, SAVED, "cache_hits", "cache_requests", "cache_hit_rate"];
const BY_COST = { measure: "cost_usd", direction: "desc" as const };
export const BREAKDOWNS = { time: 0, groups: 1 } as const; // of spend over time
export const DETAILS = { tree: 0, users: 1, environments: 2 } as const;

type Grouping = NonNullable<ReportBody["breakdowns"]>[number];

function grouping(by: Grouping["by"], limit: number, more: Partial<Grouping> = {}): Grouping {
  return { by, limit, fill: false, having: {}, orderBy: BY_COST, ...more } as Grouping;
}

/** The range of the page, as its total, its tile and its chart need it: by group and time, by time, and by group. */
export function spendQuestion(view: ViewState): ReportBody {
  return {
    ...ofRange(view, FIGURES),
    by: [groupingOf(view.by), { time: view.bucket }],
    limit: 4000,
    orderBy: BY_COST,
    breakdowns: [
      { by: [{ time: view.bucket }], fill: true, limit: 1000, having: {} },
      grouping([groupingOf(view.by)], 50),
    ],
  } as ReportBody;
}

/** What else is known of the range: its groups in the period compared with, the tree, and users with their tier. */
export function detailsQuestion(view: ViewState): ReportBody {
  return {
    ...ofRange(view, [...SPEND, SAVED]),
    ...comparison(view),
    by: [groupingOf(view.by)],
    limit: 50,
    orderBy: BY_COST,
    breakdowns: [
      grouping([{ property: "Environment" }, { property: "Feature" }], 60),
      grouping([{ column: "user_id" }, { property: "UserTier" }], 8),
      grouping([{ property: "Environment" }], 8),
    ],
  } as ReportBody;
}

/** The chart's cells, with all that a file about them may want to say. */
export function exportQuestion(view: ViewState): ReportBody {
  const { by, limit, orderBy } = spendQuestion(view);
  return {
    ...ofRange(view, [...FIGURES, "p95_latency_ms", "errors"]),
    ...comparison(view),
    by,
    limit,
    orderBy,
    breakdowns: [],
  } as ReportBody;
}

function ofRange(view: ViewState, measures: string[]) {
  return { measures, filter: view.filter, timeFilter: view.timeFilter, timeZone: view.zone };
}

function comparison({ compare }: ViewState) {
  return compare === "none" ? {} : { compare };
}

/** The hours of this week so far, beside the same hours a week before: what today and this week have cost. */
export function weekQuestion(view: ViewState, now: number): ReportBody {
  return soFar(view, now, dateIn(view.zone, now, daysSinceMonday(dateIn(view.zone, now))), "hour", "week_before");
}

/** The days of this month so far, beside those of the month before. */
export function monthQuestion(view: ViewState, now: number): ReportBody {
  return soFar(view, now, `${dateIn(view.zone, now).slice(0, 8)}01`, "day", "month_before");
}

function soFar(view: ViewState, now: number, start: string, bucket: string, compare: string): ReportBody {
  return {
    measures: SPEND,
    filter: view.filter,
    timeFilter: { start, end: new Date(now + 60_000).toISOString() },
    timeZone: view.zone,
    by: [{ time: bucket }],
    fill: true,
    limit: 200,
    compare,
  } as ReportBody;
}

/** What was unusual in the range, dearest first. */
export function anomaliesQuestion(view: ViewState): Body<"AnomaliesRequest"> {
  return {
    filter: view.filter,
    timeFilter: view.timeFilter as never,
    timeZone: view.zone,
    direction: "both",
    orderBy: "dearest",
    groups: 20,
    limit: 15, // cost and requests of one group are one pattern
  } as Body<"AnomaliesRequest">;
}

export function daysLeftInMonth(zone: string, now: number): number {
  const today = dateIn(zone, now);
  const next = new Date(`${today.slice(0, 8)}01T00:00:00Z`);
  next.setUTCMonth(next.getUTCMonth() + 1);
  return Math.round((next.getTime() - Date.parse(`${today}T00:00:00Z`)) / 86_400_000) - 1;
}
