/** An alert as a form has it: texts as they are typed, from an alert and back into what the API takes. */
import type { Alert, AlertBody } from "../../api/alerts";
import { digitsOf } from "../../format/decimal";
import type { Maybe } from "../../format/format";
import { byOf } from "../../state/dimensions";
import { chipsOf, type FilterJson, filterOf } from "../../state/filter";
import { type Chip, parseSearch } from "../../state/search";
import { type Aggregation, metricOf } from "../alerts/metrics";
import { dimensionOf } from "../alerts/sentence";
import type { Mark } from "../alerts/standing";

export type Level = "" | "WARNING" | "CRITICAL";

/** One step: percents of the threshold, or a value of its own. Without a level the server has one. */
export interface Step {
  amount: string;
  level: Level;
}

export interface Draft {
  name: string;
  metric: string;
  aggregation: Aggregation;
  percentile: string;
  condition: Alert["condition"];
  direction: Alert["direction"];
  kind: "one" | "percents" | "values";
  /** The only threshold, or what percents are of. */
  threshold: string;
  level: Level;
  steps: readonly Step[];
  window: "rolling" | "calendar";
  length: string;
  unit: "minutes" | "hours" | "days";
  calendar: NonNullable<Alert["calendar"]>;
  zone: string;
  chips: readonly Chip[];
  by: readonly string[];
  minimum: string;
  channels: readonly string[];
  emails: string;
  slack: string;
  /** In minutes. */
  renotify: string;
  cooldown: string;
  noData: boolean;
}

const MINUTE_MS = 60_000;
export const UNITS_MS: Record<Draft["unit"], number> = {
  minutes: MINUTE_MS,
  hours: 60 * MINUTE_MS,
  days: 24 * 60 * MINUTE_MS,
};
const GRADUATED: readonly Step[] = ["50", "80", "95", "100"].map((amount) => ({ amount, level: "" }));

export function newDraft(zone: string, chips: readonly Chip[] = []): Draft {
  return {
    name: "",
    metric: "cost",
    aggregation: "sum",
    percentile: "95",
    condition: "threshold",
    direction: "above",
    kind: "one",
    threshold: "",
    level: "",
    steps: GRADUATED,
    window: "rolling",
    length: "24",
    unit: "hours",
    calendar: "month",
    zone,
    chips,
    by: [],
    minimum: "",
    channels: [],
    emails: "",
    slack: "",
    renotify: "",
    cooldown: "5",
    noData: false,
  };
}

/** What a URL says of a draft; what is not readable there is left as it is in `base`. */
export function parseDraft(raw: unknown, base: Draft): Draft {
  if (typeof raw !== "object" || raw === null) return base;
  const given = raw as Record<string, unknown>;
  const texts = (value: unknown) => (Array.isArray(value) ? value.filter((one) => typeof one === "string") : undefined);
  const plain = Object.entries(base).flatMap(([key, value]) =>
    typeof value !== "object" && typeof given[key] === typeof value ? [[key, given[key]]] : [],
  );
  return {
    ...base,
    ...Object.fromEntries(plain),
    ...(Array.isArray(given["chips"]) ? { chips: parseSearch({ filter: given["chips"] }).filter ?? [] } : {}),
    by: texts(given["by"]) ?? base.by,
    channels: texts(given["channels"]) ?? base.channels,
    steps: Array.isArray(given["steps"]) ? given["steps"].filter(isStep) : base.steps,
  };
}

function isStep(value: unknown): value is Step {
  return typeof value === "object" && value !== null && typeof (value as Step).amount === "string";
}

/** The fields in which a draft differs from `base`, for the URL. */
export function changedOf(draft: Draft, base: Draft): Partial<Draft> | undefined {
  const changed = Object.entries(draft).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(base[key as keyof Draft]),
  );
  return changed.length ? (Object.fromEntries(changed) as Partial<Draft>) : undefined;
}

/** Another metric has its own aggregations. */
export function withMetric(draft: Draft, metric: string): Draft {
  const { aggregations } = metricOf(metric);
  const [usual = "sum"] = aggregations;
  return { ...draft, metric, aggregation: aggregations.includes(draft.aggregation) ? draft.aggregation : usual };
}

/** A forecast is of a calendar window, and what is unusual of the last hours or days. */
export function withCondition(draft: Draft, condition: Draft["condition"]): Draft {
  if (condition === "forecast") return { ...draft, condition, window: "calendar", direction: "above" };
  return condition === "anomaly" ? { ...draft, condition, window: "rolling" } : { ...draft, condition };
}

/** `own`: the alert's filter. Amounts go as they were typed. */
export function bodyOf(draft: Draft, own?: unknown): AlertBody {
  const { aggregations } = metricOf(draft.metric);
  const body = {
    name: draft.name.trim(),
    metric: draft.metric,
    condition: draft.condition,
    ...(aggregations.length > 1 ? { aggregation: draft.aggregation } : {}),
    ...(aggregations.length > 1 && draft.aggregation === "percentile" ? given("percentile", draft.percentile) : {}),
    ...thresholdsBody(draft),
    ...windowBody(draft),
    time_zone: draft.zone,
    filter: filterIn(draft, own),
    by: draft.by.map(byOf),
    minimum_request_count: draft.minimum.trim() ? numeric(draft.minimum, 1) : null,
    channel_ids: draft.channels,
    emails: listed(draft.emails),
    slack_channels: listed(draft.slack),
    renotify_s: draft.renotify.trim() ? numeric(draft.renotify, 60) : null,
    ...(draft.cooldown.trim() ? { cooldown_s: numeric(draft.cooldown, 60) } : {}),
    notify_no_data: draft.noData,
  };
  return body as AlertBody;
}

/** `own` as it was written, until the chips say something else; one that they cannot say stays. */
function filterIn({ chips }: Draft, own: unknown): FilterJson {
  const said = own === undefined ? undefined : (chipsOf(own) ?? chips);
  return JSON.stringify(said) === JSON.stringify(chips) ? (own as FilterJson) : filterOf(chips);
}

function given(name: string, text: string): Record<string, string> {
  return text.trim() ? { [name]: text.trim() } : {};
}

function listed(text: string): string[] {
  return text
    .split(/[,;\s]+/)
    .map((one) => one.trim())
    .filter(Boolean);
}

/** So many times as much, whole; what is no number goes as it is: the server says so. */
function numeric(text: string, times: number): number | string {
  const found = Number(text) * times;
  return Number.isFinite(found) ? Math.round(found) : text;
}

function thresholdsBody(draft: Draft): object {
  const { condition, direction, kind, level, threshold, steps } = draft;
  if (condition === "anomaly") return level ? { level } : {};
  const whole = given("threshold", threshold);
  if (kind === "one") return { direction, ...whole, ...(level ? { level } : {}) };
  const name = kind === "percents" ? "percent" : "value";
  const thresholds = steps.map((step) => ({
    ...given(name, step.amount),
    ...(step.level ? { level: step.level } : {}),
  }));
  return { direction, ...(kind === "percents" ? whole : {}), thresholds };
}

function windowBody({ window, length, unit, calendar }: Draft): object {
  if (window === "calendar") return { calendar };
  const ms = Number(length) * UNITS_MS[unit];
  return { time_window: length.trim() && Number.isFinite(ms) ? String(Math.round(ms)) : length };
}

/** Whether there is enough to try it on the past. */
export function isComplete({ condition, kind, threshold, steps, window, length }: Draft): boolean {
  if (window === "rolling" && !length.trim()) return false;
  if (condition === "anomaly") return true;
  const isStepped = steps.length > 0 && steps.every(({ amount }) => amount.trim());
  return kind === "one" ? Boolean(threshold.trim()) : isStepped && (kind === "values" || Boolean(threshold.trim()));
}

const HUNDRED = 100;

/** As the server will have them, in their order; shares are of one. For a chart: figures are doubles here. */
export function marksOfDraft(draft: Draft): Mark[] {
  const { condition, kind, threshold, steps, direction, level } = draft;
  if (condition === "anomaly") return [];
  const share = metricOf(draft.metric).unit === "share" ? HUNDRED : 1;
  if (kind === "one")
    return known([{ value: Number(threshold || "x") / share, level: level || "CRITICAL", label: "" }]);
  const whole = kind === "percents" ? Number(threshold || "x") / HUNDRED : 1;
  const marks = steps.map((step) => ({
    value: (Number(step.amount || "x") * whole) / share,
    level: step.level || (kind === "percents" && Number(step.amount) >= HUNDRED ? "CRITICAL" : ""),
    label: "",
  }));
  const sorted = known(marks).sort((one, other) => (one.value - other.value) * (direction === "below" ? -1 : 1));
  return sorted.map((mark, index) => ({
    ...mark,
    level: mark.level || (index === sorted.length - 1 ? "CRITICAL" : "WARNING"),
  })) as Mark[];
}

function known<One extends { value: number }>(marks: readonly One[]): One[] {
  return marks.filter(({ value }) => Number.isFinite(value));
}

/** An alert that is there, as the form has it. */
export function draftOf(alert: Alert): Draft {
  return {
    ...newDraft(alert.time_zone, chipsOf(alert.filter) ?? []),
    name: alert.name,
    metric: alert.metric,
    aggregation: alert.aggregation,
    percentile: alert.percentile === null ? "95" : digitsOf(alert.percentile),
    condition: alert.condition,
    direction: alert.direction,
    ...stepsOf(alert),
    ...windowOf(alert),
    by: alert.by.map(dimensionOf),
    minimum: Number(alert.minimum_request_count) ? String(alert.minimum_request_count) : "",
    channels: alert.channel_ids,
    renotify: alert.renotify_s === null ? "" : minutes(alert.renotify_s),
    cooldown: minutes(alert.cooldown_s),
    noData: alert.notify_no_data,
  };
}

function minutes(seconds: string | number): string {
  return String(Number(seconds) / 60);
}

function windowOf({ calendar, time_window }: Alert): Partial<Draft> {
  if (calendar) return { window: "calendar", calendar };
  const ms = Number(time_window);
  const units = Object.entries(UNITS_MS) as [Draft["unit"], number][];
  const [unit, size] = units.findLast(([, one]) => ms >= 2 * one && ms % one === 0) ?? ["minutes", MINUTE_MS];
  return { window: "rolling", unit, length: String(ms / size) };
}

// As the server names steps: 80 % of $1,000, or of -$1,000
const PERCENTS = /^([\d.]+) % of (-?[\d.]+)/;

function stepsOf({ thresholds, unit, condition, level }: Alert): Partial<Draft> {
  const [first] = thresholds;
  if (condition === "anomaly" || !first) return { level };
  const labels = thresholds.map(({ label }) => PERCENTS.exec(label.replace(/[$,]/g, "")));
  const whole = labels[0]?.[2];
  const amountOf = (value: Maybe) => (unit === "share" ? inPercent(value ?? 0) : digitsOf(value ?? 0));
  if (whole && labels.every((label) => label?.[2] === whole))
    return {
      kind: "percents",
      threshold: whole,
      steps: thresholds.map(({ level }, index) => ({ amount: labels[index]?.[1] ?? "", level })),
    };
  if (thresholds.length === 1) return { kind: "one", threshold: amountOf(first.value), level: first.level };
  return { kind: "values", steps: thresholds.map(({ value, level }) => ({ amount: amountOf(value), level })) };
}

/** Digit for digit: two places to the left. */
function inPercent(share: string | number): string {
  const [whole = "0", fraction = ""] = digitsOf(share).split(".");
  const digits = `${fraction}00`;
  const rest = digits.slice(2).replace(/0+$/, "");
  const moved = `${whole}${digits.slice(0, 2)}`.replace(/^(-?)0+(?=\d)/, "$1");
  return rest ? `${moved}.${rest}` : moved;
}
