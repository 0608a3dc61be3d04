/** What a budget's window cost so far, bucket by bucket: the question, and the sums that grow. */
import type { Budget, Counter, Forecast } from "../../api/budgets";
import type { Digits } from "../../api/json";
import type { ReportBody, ReportRow } from "../../api/queries";
import { sum } from "../../format/decimal";
import { money } from "../../format/format";
import { absolute, type Bucket } from "../../format/time";
import { filterOf } from "../../state/filter";
import type { Chip } from "../../state/search";

const HOUR_MS = 3_600_000;
const SEGMENTS: Partial<Record<Budget["segment"], string>> = {
  user: "user_id",
  key: "key_id",
  session: "session_id",
};

/** At most some hundred buckets, of any window. */
export function bucketOf(lengthMs: number): Bucket {
  if (lengthMs <= 3 * HOUR_MS) return "minute";
  if (lengthMs <= 12 * HOUR_MS) return "15_minutes";
  if (lengthMs <= 8 * 24 * HOUR_MS) return "hour";
  return lengthMs <= 200 * 24 * HOUR_MS ? "day" : "week";
}

/** What a request must be, to count for `value`. */
export function chipsOf(budget: Pick<Budget, "segment" | "property" | "where">, value: string): Chip[] {
  const chips = Object.entries(budget.where).map(([name, wanted]): Chip => [`@${name}`, "equals", wanted]);
  const name = budget.segment === "property" ? `@${budget.property}` : SEGMENTS[budget.segment];
  return name && value ? [...chips, [name, "equals", value]] : chips;
}

/** Of the whole window: what is yet to come has no figures. */
export function spendQuestion(budget: Budget, counter: Counter, now: number): ReportBody {
  const end = counter.resets_at ?? new Date(now + 60_000).toISOString();
  return {
    measures: ["cost_usd", "requests"],
    by: [{ time: bucketOf(Date.parse(end) - Date.parse(counter.starts_at)) }],
    filter: filterOf(chipsOf(budget, counter.value)),
    timeFilter: { start: counter.starts_at, end },
    timeZone: budget.time_zone,
    fill: true,
    limit: 1000,
  } as unknown as ReportBody;
}

export interface Growth {
  starts: string[];
  /** What was spent until the end of each bucket; null for what is yet to come. */
  sums: (Digits | null)[];
  /** In each bucket that has begun. */
  costs: Digits[];
}

export function growthOf(rows: readonly ReportRow[], now: number): Growth {
  const starts = rows.map((row) => String(row.by[0]));
  const begun = rows.filter((row) => Date.parse(String(row.by[0])) <= now);
  const costs = begun.map((row) => row.measures["cost_usd"] ?? 0);
  let total: Digits = 0;
  const sums = costs.map((cost) => {
    total = sum([total, cost]);
    return total;
  });
  return { starts, costs, sums: starts.map((_, index) => sums[index] ?? null) };
}

/** Where the window is heading, as the server foresees it; undefined while that is on its way. */
export function forecastText(
  period: Budget["period"],
  forecast: Forecast | null | undefined,
  counter: Counter,
  zone: string,
): string {
  if (period === "rolling") return "Added up by the ledger over the window that ends now: what is older leaves it.";
  if (period === "year") return "Added up by the ledger; of a year there is no forecast.";
  if (forecast === undefined) return "Added up by the ledger.";
  if (forecast === null) return "Added up by the ledger; there is no forecast yet.";
  const heading = `At this pace it comes to ${money(forecast.spent_usd)}`;
  if (forecast.reaches_limit_by)
    return `${heading}, and reaches the limit by ${absolute(forecast.reaches_limit_by, zone)}.`;
  return `${heading}, ${Number(forecast.spent_usd) > Number(counter.limit_usd) ? "over" : "within"} the limit.`;
}
