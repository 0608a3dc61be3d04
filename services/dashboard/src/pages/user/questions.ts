/** What the page of one user asks. */
import type { Body } from "../../api/client";
import { groupingOf, type ReportBody } from "../../api/queries";
import { filterOf } from "../../state/filter";
import type { Chip } from "../../state/search";
import type { ViewState } from "../../state/view";

const BY_COST = { measure: "cost_usd", direction: "desc" };
const FIGURES = [
  "cost_usd",
  "requests",
  "average_cost_usd",
  "total_tokens",
  "errors",
  "error_rate",
  "average_latency_ms",
  "p95_latency_ms",
  "cache_hit_rate",
  "cache_savings_usd",
  "sessions",
  "active_days",
];
// The first two are what the card of spend over time reads, here as on the overview.
export const PARTS = { time: 0, groups: 1, models: 2, features: 3, sessions: 4 } as const;
export const EVER = { start: "2000-01-01" };

/** The range of the page, by time and by what the user used. */
export function userQuestion(view: ViewState): ReportBody {
  const time = { time: view.bucket };
  const group = groupingOf(view.by);
  return {
    measures: FIGURES,
    filter: view.filter,
    timeFilter: view.timeFilter,
    timeZone: view.zone,
    by: [group, time],
    limit: 4000,
    orderBy: BY_COST,
    ...(view.compare === "none" ? {} : { compare: view.compare }),
    breakdowns: [
      { by: [time], fill: true, limit: 1000 },
      { by: [group], orderBy: BY_COST, limit: 50 },
      { by: [{ column: "model" }], orderBy: BY_COST, limit: 8 },
      { by: [{ property: "Feature" }], orderBy: BY_COST, limit: 8 },
      { by: [{ column: "session_id" }, { column: "session_name" }], orderBy: BY_COST, limit: 9 },
    ] as unknown,
  } as ReportBody;
}

/** All that was ever known of the user, whatever the range: since when, and of which tier. */
export function everQuestion(user: Chip, zone: string): ReportBody {
  return {
    measures: ["cost_usd", "requests", "first_request_at", "last_request_at", "active_days"],
    filter: filterOf([user]),
    timeFilter: EVER,
    timeZone: zone,
    by: [{ property: "UserTier" }],
    orderBy: { measure: "last_request_at", direction: "desc" },
    limit: 20,
  } as ReportBody;
}

/** What the user earned in the range, beside what all requests in it cost. */
export function valueQuestion(view: ViewState): ReportBody {
  return {
    measures: ["value_usd", "cost_usd", "margin_usd", "return_ratio"],
    filter: view.filter,
    timeFilter: view.timeFilter,
    timeZone: view.zone,
  } as ReportBody;
}

/** Of all requests of the user together: what each of them is about, the drivers say. */
export function unusualQuestion(view: ViewState): Body<"AnomaliesRequest"> {
  return {
    by: [],
    filter: view.filter,
    timeFilter: view.timeFilter as never,
    timeZone: view.zone,
    direction: "both",
    orderBy: "dearest",
    limit: 5,
  } as Body<"AnomaliesRequest">;
}
