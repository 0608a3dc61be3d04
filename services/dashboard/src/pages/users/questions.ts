/** What the list of users asks: users by the measures they are sorted by, their tiers, and what tiers cost. */
import type { ReportBody } from "../../api/queries";
import type { Sorting } from "../../state/sorting";
import type { ViewState } from "../../state/view";

export const MOST_USERS = 1000;
const MOST_TIERS = 5000; // of users: one with two tiers counts twice
export const TIER = { property: "UserTier" };
const BY_COST = { measure: "cost_usd", direction: "desc" };

export const USER_MEASURES = [
  "cost_usd",
  "requests",
  "average_cost_usd",
  "total_tokens",
  "errors",
  "cache_hit_rate",
  "average_latency_ms",
  "p95_latency_ms",
  "active_days",
  "first_request_at",
  "last_request_at",
  "active_users",
  "value_usd",
  "margin_usd",
];
const TIER_MEASURES = [
  "cost_usd",
  "requests",
  "active_users",
  "cost_per_user_usd",
  "p95_cost_per_user_usd",
  "value_usd",
  "margin_usd",
  "return_ratio",
];

export const STANDARD: Sorting = { column: "cost_usd", direction: "desc" };

function common(view: ViewState): ReportBody {
  return { filter: view.filter, timeFilter: view.timeFilter, timeZone: view.zone } as ReportBody;
}

/** The server sorts by figures; texts are sorted here, among those that cost most. */
function orderOf({ column, direction }: Sorting, isCompared: boolean): unknown {
  if (column === "change") return isCompared ? { measure: "cost_usd", figure: "change", direction } : BY_COST;
  return USER_MEASURES.includes(column) ? { measure: column, direction } : BY_COST;
}

/** `over`: only users who cost as much or more; the others are in the rest. */
export function usersQuestion(view: ViewState, sorting: Sorting, over: string | undefined): ReportBody {
  const isCompared = view.compare !== "none";
  return {
    ...common(view),
    measures: USER_MEASURES,
    by: [{ column: "user_id" }],
    limit: MOST_USERS,
    orderBy: orderOf(sorting, isCompared),
    ...(over ? { having: { cost_usd: { gte: Number(over) } } } : {}),
    ...(isCompared ? { compare: view.compare } : {}),
  } as ReportBody;
}

export function tiersQuestion(view: ViewState): ReportBody {
  return { ...common(view), measures: TIER_MEASURES, by: [TIER], orderBy: BY_COST, limit: 50 } as ReportBody;
}

export function tiersOfUsersQuestion(view: ViewState): ReportBody {
  return {
    ...common(view),
    measures: ["cost_usd"],
    by: [{ column: "user_id" }, TIER],
    orderBy: BY_COST,
    limit: MOST_TIERS,
  } as ReportBody;
}

/** An amount as typed, for the URL: digits, or nothing. */
export function parseOver(value: unknown): string | undefined {
  const text = String(value ?? "").trim();
  return /^\d{1,9}(\.\d{1,6})?$/.test(text) && Number(text) > 0 ? text : undefined;
}
