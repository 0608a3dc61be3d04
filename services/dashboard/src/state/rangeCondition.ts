import type { FilterJson } from "./filter";
import { currentMinute, type ViewState } from "./view";

const DAY_MS = 86_400_000;

/** The range as a condition, since a list takes no other. */
export function rangeCondition(view: ViewState): FilterJson {
  const { start, end, since } = view.timeFilter;
  const from = since ? new Date(currentMinute() - DAY_MS).toISOString() : start;
  const bounds = { ...(from ? { gte: from } : {}), ...(end ? { lt: end } : {}) };
  return { request_response_rmt: { request_created_at: bounds } };
}
