/** Every measure of a report: what it is called, in what it is counted, and whether the groups of it add up. */
import { count, exactMoney, type Maybe, milliseconds, money, percent, UNKNOWN } from "../../format/format";
import { absolute } from "../../format/time";

export type Unit = "usd" | "count" | "average" | "share" | "ratio" | "ms" | "time";

export interface MeasureInfo {
  name: string;
  title: string;
  unit: Unit;
  /** Whether groups add up to the total, so that there is a rest. */
  adds: boolean;
}

export interface MeasureSection {
  title: string;
  measures: readonly MeasureInfo[];
}

function sums(unit: Unit, titles: Record<string, string>): MeasureInfo[] {
  return Object.entries(titles).map(([name, title]) => ({ name, title, unit, adds: true }));
}

function others(unit: Unit, titles: Record<string, string>): MeasureInfo[] {
  return Object.entries(titles).map(([name, title]) => ({ name, title, unit, adds: false }));
}

const OF = { p50: "median", p95: "p95", p99: "p99" } as const;
const DEAREST = { ...OF, max: "highest" } as const;

function dearest(of: string, title: string): MeasureInfo[] {
  return Object.entries(DEAREST).flatMap(([prefix, word]) =>
    others("usd", { [`${prefix}_cost${of}_usd`]: `${word} ${title}` }),
  );
}

export const SECTIONS: readonly MeasureSection[] = [
  {
    title: "Cost",
    measures: [
      ...sums("usd", { cost_usd: "cost" }),
      ...others("usd", {
        average_cost_usd: "cost per request",
        cost_per_user_usd: "cost per user",
        cost_per_session_usd: "cost per session",
      }),
      ...dearest("", "cost of a request"),
      ...dearest("_per_session", "cost of a session"),
      ...dearest("_per_user", "cost of a user"),
    ],
  },
  {
    title: "Requests",
    measures: [
      ...sums("count", { requests: "requests", attempts: "attempts", errors: "errors" }),
      ...others("share", { error_rate: "error rate" }),
      ...others("count", {
        active_users: "users",
        sessions: "sessions",
        models: "models",
        active_days: "active days (UTC)",
      }),
      ...others("average", { requests_per_user: "requests per user", requests_per_session: "requests per session" }),
      ...others("time", { first_request_at: "first request", last_request_at: "last request" }),
    ],
  },
  {
    title: "Tokens",
    measures: [
      ...sums("count", {
        total_tokens: "tokens",
        prompt_tokens: "prompt tokens",
        completion_tokens: "completion tokens",
        reasoning_tokens: "reasoning tokens",
        citation_tokens: "citation tokens",
        prompt_cache_read_tokens: "cache reads",
        prompt_cache_write_tokens: "cache writes",
      }),
      ...others("average", { tokens_per_user: "tokens per user", tokens_per_session: "tokens per session" }),
    ],
  },
  {
    title: "Latency",
    measures: [
      ...others("ms", {
        average_latency_ms: "average latency",
        p50_latency_ms: "median latency",
        p95_latency_ms: "p95 latency",
        p99_latency_ms: "p99 latency",
        average_time_to_first_token_ms: "average time to first token",
        p50_time_to_first_token_ms: "median time to first token",
        p95_time_to_first_token_ms: "p95 time to first token",
        p99_time_to_first_token_ms: "p99 time to first token",
      }),
    ],
  },
  {
    title: "Response cache",
    measures: [
      ...sums("usd", { cache_savings_usd: "saved by the cache" }),
      ...sums("count", { cache_hits: "cache hits", cache_requests: "requests that allowed it" }),
      ...others("share", { cache_hit_rate: "cache hit rate" }),
    ],
  },
  {
    title: "Value",
    measures: [
      ...sums("usd", { value_usd: "value", margin_usd: "margin" }),
      ...others("ratio", { return_ratio: "value of a dollar of cost" }),
      ...others("share", { margin_ratio: "margin of the value" }),
      ...others("count", { value_entries: "entries of value" }),
    ],
  },
  {
    title: "What is known",
    measures: [
      ...sums("count", {
        unpriced_requests: "attempts of unknown cost",
        unpriced_requests_without_tokens: "without cost and tokens",
        requests_without_usage: "attempts of unknown usage",
        unpriced_cache_hits: "cache hits of unknown savings",
      }),
      ...others("share", { priced_request_share: "attempts priced", priced_token_share: "tokens priced" }),
    ],
  },
  {
    title: "Costs that providers report",
    measures: [
      ...sums("usd", {
        provider_cost_usd: "reported cost",
        calculated_cost_usd: "calculated cost",
        cost_difference_usd: "reported less calculated",
      }),
      ...sums("count", { uncompared_requests: "not to be compared", disputed_requests: "disputed requests" }),
    ],
  },
  {
    title: "Quality",
    measures: [
      ...sums("count", { scored_requests: "requests with a score", rated_requests: "rated requests" }),
      ...others("share", { positive_rating_share: "rated as good" }),
    ],
  },
  {
    title: "Parts of tokens, and other use",
    measures: [
      ...sums("count", {
        prompt_audio_tokens: "prompt audio tokens",
        prompt_image_tokens: "prompt image tokens",
        prompt_video_tokens: "prompt video tokens",
        completion_audio_tokens: "completion audio tokens",
        completion_image_tokens: "completion image tokens",
        completion_video_tokens: "completion video tokens",
        prompt_cache_read_audio_tokens: "cache reads of audio",
        prompt_cache_read_image_tokens: "cache reads of images",
        prompt_cache_write_5m_tokens: "cache writes for 5 minutes",
        prompt_cache_write_1h_tokens: "cache writes for an hour",
        prompt_cache_write_12h_tokens: "cache writes for 12 hours",
        prompt_characters: "characters spoken",
        web_searches: "web searches",
        file_searches: "file searches",
        document_pages: "pages read",
        annotated_pages: "pages annotated",
      }),
      ...sums("ms", { prompt_audio_ms: "prompt audio" }),
    ],
  },
];

const BY_NAME = new Map(SECTIONS.flatMap(({ measures }) => measures).map((measure) => [measure.name, measure]));

/** A score's average is named after it, and is in no list. */
export function measureOf(name: string): MeasureInfo {
  return BY_NAME.get(name) ?? { name, title: name.replaceAll("_", " "), unit: "average", adds: false };
}

const FEW = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

/** A figure as it is read; an unknown one is "unknown", and what cannot be there is a dash. */
export function figureText({ unit }: Pick<MeasureInfo, "unit">, value: Maybe, zone: string): string {
  if (value === null || value === undefined) return unit === "usd" ? UNKNOWN : "–";
  switch (unit) {
    case "usd":
      return money(value);
    case "count":
      return count(value);
    case "average":
      return FEW.format(Number(value));
    case "share":
      return percent(value);
    case "ratio":
      return `${FEW.format(Number(value))} ×`;
    case "ms":
      return milliseconds(value);
    case "time":
      return absolute(String(value), zone);
  }
}

/** Every digit, for the hover. */
export function exactText({ unit }: Pick<MeasureInfo, "unit">, value: Maybe): string | undefined {
  if (value === null || value === undefined) return undefined;
  return unit === "usd" ? exactMoney(value) : String(value);
}

/** How much more or less than before, with its sign: in the figure's own unit, of shares in points. */
export function changeText({ unit }: Pick<MeasureInfo, "unit">, absolute: Maybe): string {
  if (absolute === null || absolute === undefined) return "–";
  const amount = Number(absolute);
  const sign = amount > 0 ? "+" : amount < 0 ? "−" : "";
  const size = Math.abs(amount);
  if (unit === "share") return `${sign}${FEW.format(size * 100)} pp`;
  return `${sign}${figureText({ unit }, size, "UTC")}`;
}
