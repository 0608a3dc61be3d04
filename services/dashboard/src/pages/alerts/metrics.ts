/** What alerts can watch: words, units and aggregations, as the server knows them. */
import type { Alert, AlertBody } from "../../api/alerts";
import { count, type Maybe, milliseconds, money, percent } from "../../format/format";

export type Unit = Alert["unit"];
export type Aggregation = NonNullable<AlertBody["aggregation"]>;

export interface Metric {
  title: string;
  unit: Unit;
  /** The first is the usual one. */
  aggregations: readonly Aggregation[];
}

const OF_VALUES: readonly Aggregation[] = ["sum", "avg", "percentile", "max", "min"];
const OF_DURATIONS: readonly Aggregation[] = ["avg", "percentile", "max", "min"];
const SUM: readonly Aggregation[] = ["sum"];

const tokens = (title: string): Metric => ({ title, unit: "count", aggregations: OF_VALUES });

export const METRICS: Readonly<Record<string, Metric>> = {
  cost: { title: "cost", unit: "usd", aggregations: OF_VALUES },
  requests: { title: "requests", unit: "count", aggregations: SUM },
  errors: { title: "errors", unit: "count", aggregations: SUM },
  error_rate: { title: "error rate", unit: "share", aggregations: SUM },
  latency: { title: "latency", unit: "ms", aggregations: OF_DURATIONS },
  time_to_first_token: { title: "time to first token", unit: "ms", aggregations: OF_DURATIONS },
  total_tokens: tokens("total tokens"),
  prompt_tokens: tokens("prompt tokens"),
  completion_tokens: tokens("completion tokens"),
  prompt_cache_read_tokens: tokens("prompt cache read tokens"),
  prompt_cache_write_tokens: tokens("prompt cache write tokens"),
  cache_hit_rate: { title: "cache hit rate", unit: "share", aggregations: SUM },
  unpriced_share: { title: "share of unpriced requests", unit: "share", aggregations: SUM },
  margin: { title: "margin", unit: "usd", aggregations: SUM },
  margin_ratio: { title: "margin ratio", unit: "share", aggregations: SUM },
};

export function metricOf(name: string): Metric {
  return METRICS[name] ?? { title: name.replaceAll("_", " "), unit: "count", aggregations: OF_VALUES };
}

/** A value as its unit is read; shares are of one. */
export function valueText(value: Maybe, unit: Unit): string {
  if (unit === "usd") return money(value);
  if (unit === "share") return percent(value, 2);
  return unit === "ms" ? milliseconds(value) : count(value);
}

/** A round threshold without its empty decimals: $250, 5 %. */
export function roundText(value: Maybe, unit: Unit): string {
  return valueText(value, unit).replace(/\.00(?= s$|$)/, "");
}

/** What a form's amount is typed in. */
export const UNIT_NAMES: Record<Unit, string> = { usd: "US dollars", share: "percent", ms: "milliseconds", count: "" };
