/** What the page of the cache asks: six questions. */
import type { Body } from "../../api/client";
import type { ReportBody } from "../../api/queries";
import { instantIn } from "../../format/instant";
import type { ViewState } from "../../state/view";

const DAY_MS = 86_400_000;
const GROUPS = 8;

export const FIGURES = [
  ...["requests", "cost_usd", "cache_requests", "cache_hits", "cache_hit_rate"],
  ...["cache_savings_usd", "unpriced_cache_hits"],
];

/** Whose figures stand in which breakdown, behind that of time. */
export const BY = [
  { name: "@Feature", title: "feature", part: { property: "Feature" } },
  { name: "model", title: "model", part: { column: "model" } },
  { name: "user_id", title: "user", part: { column: "user_id" } },
] as const;

export function cacheQuestion(view: ViewState): ReportBody {
  const group = (part: object) => ({
    by: [part],
    limit: GROUPS,
    fill: false,
    having: { cache_requests: { gt: 0 } },
    orderBy: { measure: "cache_savings_usd", direction: "desc" },
  });
  return {
    measures: FIGURES,
    filter: view.filter,
    timeFilter: view.timeFilter,
    timeZone: view.zone,
    by: [{ time: view.bucket }],
    fill: true,
    limit: 1000,
    breakdowns: BY.map(({ part }) => group(part)),
  } as unknown as ReportBody;
}

/** The range from one instant to another, as the paths of Helicone's dashboard want it. */
export function instants(view: ViewState, now: number): { start: string; end: string } {
  const { start, end, since } = view.timeFilter;
  const at = (bound: string) =>
    (/^\d{4}-\d\d-\d\d$/.test(bound) ? instantIn(view.zone, `${bound}T00:00`) : bound) ?? bound;
  const from = since ? new Date(now - DAY_MS).toISOString() : at(start ?? new Date(0).toISOString());
  return { start: from, end: end ? at(end) : new Date(now + 60_000).toISOString() };
}

export function savingsQuestion<Name extends "RepeatsRequest" | "PromptCacheRequest" | "WhatIfRequest">(
  view: ViewState,
  more: object,
): Body<Name> {
  return { filter: view.filter, timeFilter: view.timeFilter, timeZone: view.zone, ...more } as Body<Name>;
}
