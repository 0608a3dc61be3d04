/** What the list of sessions asks: names, single sessions, and how their costs are distributed. */
import type { Body } from "../../api/client";
import type { ReportBody } from "../../api/queries";
import { filterOf } from "../../state/filter";
import type { Sorting } from "../../state/sorting";
import type { ViewState } from "../../state/view";

export const MOST_SESSIONS = 1000;
export const STANDARD: Sorting = { column: "cost_usd", direction: "desc" };
const BY_COST = { measure: "cost_usd", direction: "desc" };
const IN_A_SESSION = ["session_id", "not-equals", null] as const;

export const NAME_MEASURES = [
  "cost_usd",
  "requests",
  "sessions",
  "cost_per_session_usd",
  "p50_cost_per_session_usd",
  "p95_cost_per_session_usd",
  "max_cost_per_session_usd",
  "requests_per_session",
  "errors",
];
export const SESSION_MEASURES = [
  "cost_usd",
  "requests",
  "total_tokens",
  "errors",
  "average_latency_ms",
  "first_request_at",
  "last_request_at",
];

function common(view: ViewState): ReportBody {
  return {
    filter: filterOf([...(view.search.filter ?? []), IN_A_SESSION]),
    timeFilter: view.timeFilter,
    timeZone: view.zone,
  } as ReportBody;
}

/** By name; and over which steps costs are distributed. */
export function namesQuestion(view: ViewState): ReportBody {
  return {
    ...common(view),
    measures: NAME_MEASURES,
    by: [{ column: "session_name" }],
    orderBy: BY_COST,
    limit: 100,
    ...(view.compare === "none" ? {} : { compare: view.compare }),
    breakdowns: [{ by: [{ column: "session_path" }], orderBy: BY_COST, limit: 12 }],
  } as ReportBody;
}

export function sessionsQuestion(view: ViewState, { column, direction }: Sorting): ReportBody {
  return {
    ...common(view),
    measures: SESSION_MEASURES,
    by: [{ column: "session_id" }, { column: "session_name" }],
    orderBy: SESSION_MEASURES.includes(column) ? { measure: column, direction } : BY_COST,
    limit: MOST_SESSIONS,
  } as ReportBody;
}

export function distributionQuestion(view: ViewState): Body<"DistributionRequest"> {
  return { ...common(view), of: "session", bars: 30, outliers: 8 } as Body<"DistributionRequest">;
}
