/** Chips as the filter of the API. */
import { UNKNOWN } from "../format/format";
import type { Chip, Operator } from "./search";

export type Kind = "text" | "number" | "flag" | "timestamp" | "body";

export interface ColumnInfo {
  name: string;
  title: string;
  kind: Kind;
  /** Whether figures can be grouped by it. */
  groups: boolean;
}

/** By name; a title that is the name without underscores is left out. */
const TITLES: Record<Kind, Record<string, string>> = {
  text: {
    model: "",
    request_model: "requested model",
    response_model: "model of the response",
    other_models: "models beside it",
    provider: "",
    user_id: "user",
    session_id: "session",
    session_name: "",
    session_path: "",
    key_id: "key",
    prompt_id: "prompt",
    outcome: "",
    cost_state: "",
    service_tier: "",
    provider_organization: "organization at the provider",
    provider_project: "project at the provider",
    provider_key_hash: "key at the provider (hash)",
    provider_request_id: "request id at the provider",
    provider_response_id: "response id at the provider",
    request_id: "",
    request_fingerprint: "prompt's fingerprint",
    cache_reference_id: "request that filled the cache",
    attempt_of: "request of an attempt",
    target_url: "URL",
    usage_source: "",
    price_id: "price",
    reprice_id: "re-pricing",
    proxy_id: "proxy",
    scores_column: "scores",
  },
  number: {
    status: "",
    latency: "latency in ms",
    time_to_first_token: "time to first token in ms",
    cost_usd: "cost in US dollars",
    original_cost_usd: "original cost in US dollars",
    provider_cost_usd: "reported cost in US dollars",
    calculated_cost_usd: "calculated cost in US dollars",
    cache_saved_usd: "saved by the cache in US dollars",
    budget_reserved_usd: "reserved by budgets in US dollars",
    total_tokens: "tokens",
    prompt_tokens: "",
    completion_tokens: "",
    reasoning_tokens: "",
    citation_tokens: "",
    prompt_cache_read_tokens: "cache reads",
    prompt_cache_write_tokens: "cache writes",
    prompt_cache_read_audio_tokens: "",
    prompt_cache_read_image_tokens: "",
    prompt_cache_write_5m_tokens: "",
    prompt_cache_write_1h_tokens: "",
    prompt_cache_write_12h_tokens: "",
    prompt_audio_tokens: "",
    prompt_image_tokens: "",
    prompt_video_tokens: "",
    completion_audio_tokens: "",
    completion_image_tokens: "",
    completion_video_tokens: "",
    prompt_audio_ms: "prompt audio in ms",
    prompt_characters: "",
    web_searches: "",
    file_searches: "",
    document_pages: "",
    annotated_pages: "",
    request_bytes: "",
    response_bytes: "",
  },
  flag: {
    cached: "from the response cache",
    cache_enabled: "allowed the response cache",
    is_stream: "streamed",
    is_attempt: "attempt before the last one",
    is_logged: "logged afterwards",
    is_replaced: "logged again",
    usage_mismatch: "usage contradicts itself",
    usage_incomplete: "usage incomplete",
    cost_disputed: "",
    "helicone-score-feedback": "rated as good",
  },
  timestamp: { request_created_at: "time of the request", response_created_at: "time of the response" },
  body: { request_body: "text of the request", response_body: "text of the response" },
};

/** What a chip may name, beside properties and scores. */
export const COLUMNS: readonly ColumnInfo[] = Object.entries(TITLES).flatMap(([kind, titles]) =>
  Object.entries(titles).map(([name, title]) => ({
    name,
    title: title || name.replaceAll("_", " "),
    kind: kind as Kind,
    groups: kind !== "body" && kind !== "timestamp",
  })),
);

const SAME: readonly Operator[] = ["equals", "not-equals"];
const ORDER: readonly Operator[] = ["gte", "gt", "lte", "lt"];
const PART: readonly Operator[] = ["contains", "not-contains"];

const OPERATORS_OF: Record<Kind, readonly Operator[]> = {
  text: [...SAME, ...PART],
  number: [...ORDER, ...SAME],
  flag: SAME,
  timestamp: ORDER,
  body: [...PART, ...SAME],
};

const BY_NAME = new Map(COLUMNS.map((column) => [column.name, column]));
const SCORE = "scores.";

/** Of a column; a property is text, and a score a number. */
export function kindOf(name: string): Kind {
  if (name.startsWith(SCORE)) return "number";
  return BY_NAME.get(name)?.kind ?? "text";
}

/** What a chip of this name may say, what is mostly meant first. */
export function operatorsOf(name: string): readonly Operator[] {
  return OPERATORS_OF[kindOf(name)];
}

export const SIGNS: Record<Operator, string> = {
  equals: "=",
  "not-equals": "≠",
  contains: "contains",
  "not-contains": "lacks",
  gt: ">",
  gte: "≥",
  lt: "<",
  lte: "≤",
};

export function titleOf(name: string): string {
  return name.startsWith("@") ? name.slice(1) : (BY_NAME.get(name)?.title ?? name);
}

export function chipText([name, operator, value]: Chip): string {
  return `${titleOf(name)} ${SIGNS[operator]} ${value ?? (kindOf(name) === "number" ? UNKNOWN : "none")}`;
}

/** As it is typed: a property that is called like a column has its mark. */
export function writtenOf(name: string): string {
  const title = titleOf(name);
  const isColumn = COLUMNS.some(
    (column) => column.name === title.toLowerCase() || column.title === title.toLowerCase(),
  );
  return name.startsWith("@") && isColumn ? name : title;
}

export type FilterJson = "all" | { [key: string]: unknown };

function literal(name: string, value: string | null): unknown {
  const kind = kindOf(name);
  if (value === null) return value;
  if (kind === "flag") return value === "true";
  return kind === "number" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function columnOf(name: string, condition: FilterJson): FilterJson {
  if (name.startsWith("@")) return { properties: { [name.slice(1)]: condition } };
  return name.startsWith(SCORE) ? { scores: { [name.slice(SCORE.length)]: condition } } : { [name]: condition };
}

function leaf([name, operator, value]: Chip): FilterJson {
  const condition = { [operator]: literal(name, value) };
  return { request_response_rmt: columnOf(name, condition) };
}

/** All chips must hold. */
export function filterOf(chips: readonly Chip[] = [], ...more: FilterJson[]): FilterJson {
  const terms = [...chips.map(leaf), ...more.filter((term) => term !== "all")];
  const [first = "all", ...rest] = terms;
  return rest.reduce<FilterJson>((left, right) => ({ left, operator: "and", right }), first);
}

/** The chips that say the same as `filter`; undefined where none do. */
export function chipsOf(filter: unknown): Chip[] | undefined {
  if (filter === "all" || (isRecord(filter) && !Object.keys(filter).length)) return [];
  if (!isRecord(filter)) return undefined;
  if ("operator" in filter) {
    if (filter["operator"] !== "and") return undefined;
    const [left, right] = [chipsOf(filter["left"]), chipsOf(filter["right"])];
    return left && right && [...left, ...right];
  }
  // Properties may stand alone, without their table.
  const terms = "properties" in filter ? filter : filter["request_response_rmt"];
  if (Object.keys(filter).length !== 1 || !isRecord(terms) || !Object.keys(terms).length) return undefined;
  const chips = Object.entries(terms).flatMap(([name, condition]) =>
    Object.keys(NESTED).includes(name) && isRecord(condition)
      ? Object.entries(condition).map(([key, own]) => chipOf(`${NESTED[name]}${key}`, own))
      : [chipOf(name, condition)],
  );
  return chips.every((chip) => chip !== undefined) ? chips : undefined;
}

const NESTED: Readonly<Record<string, string>> = { properties: "@", scores: SCORE };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function chipOf(name: string, condition: unknown): Chip | undefined {
  const written = isRecord(condition) ? Object.entries(condition) : [];
  const [operator, value] = written[0] ?? [];
  const known = operatorsOf(name).find((one) => one === operator);
  const isKnown = name.startsWith("@") || name.startsWith(SCORE) || BY_NAME.has(name);
  if (!isKnown || !known || written.length > 1 || isRecord(value) || Array.isArray(value)) return undefined;
  return [name, known, value === null || value === undefined ? null : String(value)];
}

const WRITTEN: readonly (readonly [sign: string, Operator])[] = [
  ["!=", "not-equals"],
  ["!~", "not-contains"],
  [">=", "gte"],
  ["<=", "lte"],
  ["=", "equals"],
  ["~", "contains"],
  [">", "gt"],
  ["<", "lt"],
];

export function signOf(operator: Operator): string {
  return WRITTEN.find(([, known]) => known === operator)?.[0] ?? "=";
}

export interface Typed {
  name: string;
  operator: Operator;
  value: string;
}

/** A name and an operator, with as much of a value as is typed; undefined without an operator. */
export function parseTyped(text: string): Typed | undefined {
  const match = /^\s*(@?)([^=!~<>]+?)\s*(!=|!~|>=|<=|=|~|>|<)\s*(.*?)\s*$/.exec(text);
  if (!match) return undefined;
  const [, at, written = "", sign, value = ""] = match;
  const operator = WRITTEN.find(([known]) => known === sign)?.[1];
  if (!operator) return undefined;
  const lower = written.toLowerCase();
  const column = at ? undefined : COLUMNS.find(({ name, title }) => name === lower || title.toLowerCase() === lower);
  const isScore = !at && lower.startsWith(SCORE);
  return { name: column?.name ?? (isScore ? written : `@${written}`), operator, value };
}

/** Why no chip can be made of it; undefined where one can. */
export function faultOf({ name, operator, value }: Typed): string | undefined {
  const kind = kindOf(name);
  if (!operatorsOf(name).includes(operator)) return `${titleOf(name)} takes ${operatorsOf(name).map(signOf).join(" ")}`;
  if (!value) return SAME.includes(operator) ? undefined : "and a value";
  if (kind === "number" && !Number.isFinite(Number(value))) return `${titleOf(name)} is a number`;
  if (kind === "flag" && value !== "true" && value !== "false") return "true or false";
  return kind === "timestamp" && Number.isNaN(Date.parse(value)) ? "a date, such as 2026-11-21" : undefined;
}

/** `Feature=chat`, `model~gpt`, `cost_usd>0.5` as typed; properties are names that are no columns. */
export function parseChip(text: string): Chip | undefined {
  const typed = parseTyped(text);
  return typed && !faultOf(typed) ? [typed.name, typed.operator, typed.value || null] : undefined;
}
