/** What the table of requests can show of one: every column of the API, and every property. */
import type { ReactNode } from "react";
import type { RequestRow, Sort } from "../../api/requests";
import { count, exactMoney, milliseconds, money } from "../../format/format";
import { absolute, relative } from "../../format/time";
import { Cost, Tag } from "../../ui/ui";
import css from "./requests.module.css";

export interface ColumnDefinition {
  id: string;
  title: string;
  width: number;
  isFigure?: boolean;
  /** What the API sorts by; none where it cannot. */
  sort?: string;
  show: (row: RequestRow, zone: string) => ReactNode;
}

const FAILED = 400;
const NONE = "–";

function status(row: RequestRow): ReactNode {
  const code = Number(row.response_status);
  if (row.outcome === "cached") return <Tag kind="good">cached</Tag>;
  if (code === -2) return <Tag kind="bad">timed out</Tag>;
  if (code === -3) return <Tag kind="warn">disconnected</Tag>;
  return <Tag kind={code >= FAILED ? "bad" : undefined}>{code}</Tag>;
}

/** The billed model, and how many others took part. */
function model(row: RequestRow): ReactNode {
  const others = row.other_models.map((part) => `${part.model || "not named"}: ${money(part.cost_usd)}`);
  return (
    <>
      {row.model || row.request_model || NONE}
      {others.length > 0 && (
        <span className={css["others"]} title={`Other models took part. ${others.join("; ")}`}>
          +{others.length}
        </span>
      )}
    </>
  );
}

/** Unknown is named, and so is why. */
function cost(row: RequestRow): ReactNode {
  if (row.cost_usd !== null) return <Cost value={row.cost_usd} />;
  return (
    <span title={`${String(row.cost_state).replaceAll("_", " ")}: the receipt says more`}>
      <Cost value={null} />
    </span>
  );
}

type Kind = "text" | "code" | "count" | "money" | "ms" | "time" | "flag";
type Field = keyof RequestRow;

const SHOWS: Record<Kind, (value: unknown, zone: string) => ReactNode> = {
  text: (value) => (value === null || value === "" ? NONE : String(value)),
  code: (value) => (value ? <code>{String(value)}</code> : NONE),
  count: (value) => (value === null ? NONE : count(value as string)),
  money: (value) => (value === null ? NONE : <span title={exactMoney(value as string)}>{money(value as string)}</span>),
  ms: (value) => (value === null ? NONE : milliseconds(value as string)),
  time: (value, zone) => (value ? absolute(String(value), zone) : NONE),
  flag: (value) => (value === null ? NONE : value ? "yes" : "no"),
};

const WIDTHS: Record<Kind, number> = { text: 150, code: 290, count: 104, money: 112, ms: 104, time: 176, flag: 96 };
const FIGURES: ReadonlySet<Kind> = new Set(["count", "money", "ms"]);

function field(
  id: string,
  title: string,
  kind: Kind,
  more: { of?: Field; sort?: string; width?: number } = {},
): ColumnDefinition {
  const name = more.of ?? (id as Field);
  return {
    id,
    title,
    width: more.width ?? WIDTHS[kind],
    isFigure: FIGURES.has(kind),
    ...(more.sort ? { sort: more.sort } : {}),
    show: (row, zone) => SHOWS[kind](row[name] ?? null, zone),
  };
}

const session = (name: string) => (row: RequestRow) => row.request_properties[`Helicone-Session-${name}`] ?? NONE;

export const COLUMNS: readonly ColumnDefinition[] = [
  {
    id: "time",
    title: "time",
    width: 128,
    sort: "created_at",
    show: (row, zone) => (
      <time dateTime={row.request_created_at} title={`${absolute(row.request_created_at, zone)} (${zone})`}>
        {relative(row.request_created_at, Date.now(), zone)}
      </time>
    ),
  },
  { id: "status", title: "status", width: 112, show: status },
  { id: "model", title: "model", width: 206, sort: "body_model", show: model },
  field("user_id", "user", "text", { of: "request_user_id", sort: "user_id", width: 130 }),
  field("total_tokens", "tokens", "count", { sort: "total_tokens", width: 104 }),
  field("latency", "latency", "ms", { of: "delay_ms", sort: "latency", width: 96 }),
  { id: "cost_usd", title: "cost", width: 120, isFigure: true, sort: "cost_usd", show: cost },
  field("provider", "provider", "text", { width: 110 }),
  field("request_model", "requested model", "text", { width: 190 }),
  field("prompt_tokens", "input tokens", "count", { sort: "prompt_tokens" }),
  field("completion_tokens", "output tokens", "count", { sort: "completion_tokens" }),
  field("reasoning_tokens", "reasoning tokens", "count", { width: 130 }),
  field("prompt_cache_read_tokens", "cache read tokens", "count", { width: 130 }),
  field("prompt_cache_write_tokens", "cache write tokens", "count", { width: 136 }),
  field("time_to_first_token", "first token", "ms", { sort: "time_to_first_token" }),
  { id: "session_id", title: "session", width: 170, show: session("Id") },
  { id: "session_name", title: "session name", width: 150, show: session("Name") },
  { id: "session_path", title: "session path", width: 170, show: session("Path") },
  field("outcome", "outcome", "text"),
  field("cost_state", "cost state", "text"),
  field("usage_source", "usage from", "text", { width: 110 }),
  field("service_tier", "service tier", "text", { width: 110 }),
  field("provider_cost_usd", "reported cost", "money"),
  field("calculated_cost_usd", "calculated cost", "money", { width: 120 }),
  field("original_cost_usd", "original cost", "money"),
  field("cache_saved_usd", "saved by the cache", "money", { width: 136 }),
  field("cost_disputed", "cost disputed", "flag", { width: 110 }),
  field("is_stream", "streamed", "flag"),
  field("is_logged", "logged afterwards", "flag", { width: 130 }),
  field("cache_enabled", "cache allowed", "flag", { width: 110 }),
  field("usage_mismatch", "usage mismatch", "flag", { width: 120 }),
  field("usage_incomplete", "usage incomplete", "flag", { width: 130 }),
  field("feedback_rating", "rated as good", "flag", { width: 110 }),
  {
    id: "scores",
    title: "scores",
    width: 180,
    show: (row) =>
      Object.entries(row.scores ?? {})
        .map(([name, value]) => `${name} ${value}`)
        .join(", ") || NONE,
  },
  field("prompt_audio_tokens", "input audio tokens", "count", { width: 136 }),
  field("completion_audio_tokens", "output audio tokens", "count", { width: 140 }),
  field("prompt_image_tokens", "input image tokens", "count", { width: 140 }),
  field("completion_image_tokens", "output image tokens", "count", { width: 144 }),
  field("prompt_video_tokens", "input video tokens", "count", { width: 136 }),
  field("completion_video_tokens", "output video tokens", "count", { width: 140 }),
  field("prompt_audio_ms", "audio in, ms", "count"),
  field("prompt_characters", "characters spoken", "count", { width: 132 }),
  field("citation_tokens", "citation tokens", "count", { width: 120 }),
  field("web_searches", "web searches", "count"),
  field("file_searches", "file searches", "count"),
  field("document_pages", "pages read", "count"),
  field("annotated_pages", "pages annotated", "count", { width: 120 }),
  field("size_bytes", "bytes of both bodies", "count", { width: 144 }),
  field("response_created_at", "response at", "time"),
  field("updated_at", "updated at", "time"),
  field("key_id", "key", "code"),
  field("prompt_id", "prompt", "text"),
  field("price_id", "price", "code"),
  field("reprice_id", "re-pricing", "code"),
  field("cache_reference_id", "cached request", "code"),
  field("attempt_of", "attempt of", "code"),
  field("provider_organization", "organization at the provider", "text", { width: 190 }),
  field("provider_project", "project at the provider", "text", { width: 170 }),
  field("provider_key_hash", "hash of the provider's key", "code", { width: 180 }),
  field("provider_request_id", "request id at the provider", "code"),
  field("provider_response_id", "response id at the provider", "code"),
  field("response_model", "model in the response", "text", { width: 190 }),
  field("request_fingerprint", "fingerprint", "code", { width: 180 }),
  field("proxy_id", "proxy", "text"),
  field("target_url", "URL", "text", { width: 320 }),
  { id: "request_id", title: "request id", width: 300, show: (row) => <code>{row.request_id}</code> },
];

export const SHOWN = [
  ...["time", "status", "model", "user_id", "@Feature", "@Environment"],
  ...["total_tokens", "latency", "cost_usd"],
];

const BY_ID = new Map(COLUMNS.map((column) => [column.id, column]));

/** A column, or that of a property; undefined for a name that is neither. */
export function columnOf(id: string): ColumnDefinition | undefined {
  if (!id.startsWith("@")) return BY_ID.get(id);
  const name = id.slice(1);
  const lower = name.toLowerCase();
  return {
    id,
    title: name,
    width: 150,
    sort: id,
    show: (row) => {
      const own = row.request_properties;
      return own[name] ?? Object.entries(own).find(([key]) => key.toLowerCase() === lower)?.[1] ?? NONE;
    },
  };
}

export interface Ordering {
  by: string;
  isDescending: boolean;
}

/** `-cost_usd` and `@Feature` as the URL has them; what cannot be sorted by is the default. */
export function orderingOf(text: string | undefined): Ordering {
  const by = text?.replace(/^-/, "") ?? "created_at";
  const isKnown = by.startsWith("@") ? by.length > 1 : COLUMNS.some(({ sort }) => sort === by);
  return isKnown
    ? { by, isDescending: text === undefined || text.startsWith("-") }
    : { by: "created_at", isDescending: true };
}

export function sortOf({ by, isDescending }: Ordering): Sort {
  const direction = isDescending ? "desc" : "asc";
  return by.startsWith("@") ? { properties: { [by.slice(1)]: direction } } : { [by]: direction };
}
