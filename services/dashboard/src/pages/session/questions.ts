/** What the page of one session asks. */
import type { Body } from "../../api/client";
import type { ReportBody } from "../../api/queries";
import { type FilterJson, filterOf } from "../../state/filter";
import type { Chip } from "../../state/search";
import type { ViewState } from "../../state/view";

const DAY_MS = 86_400_000;
export const RANK_DAYS = 28;

export function sessionQuestion(view: ViewState): ReportBody {
  return {
    measures: ["cost_usd", "requests", "total_tokens", "errors", "models", "first_request_at", "last_request_at"],
    filter: view.filter,
    timeFilter: view.timeFilter,
    timeZone: view.zone,
    breakdowns: [{ by: [{ column: "user_id" }], limit: 5 }],
  } as unknown as ReportBody;
}

/** The same requests, as a list takes them. */
export function stepsFilter(chips: readonly Chip[], period: { start: string; end: string }): FilterJson {
  const within = { request_response_rmt: { request_created_at: { gte: period.start, lt: period.end } } };
  return filterOf(chips, within);
}

/** Where a cost stands among the sessions of that name, in the four weeks until it ended. */
export function rankQuestion(name: string, cost: string, last: string, zone: string): Body<"DistributionRequest"> {
  const end = Date.parse(last) + 1;
  return {
    of: "session",
    filter: filterOf([["session_name", "equals", name]]),
    timeFilter: { start: new Date(end - RANK_DAYS * DAY_MS).toISOString(), end: new Date(end).toISOString() },
    timeZone: zone,
    bars: 30,
    outliers: 0,
    rankOfUsd: cost,
  } as unknown as Body<"DistributionRequest">;
}
