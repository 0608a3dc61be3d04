/** What is typed of a budget, as the API takes it. */
import type { Budget } from "../../api/budgets";
import { digitsOf } from "../../format/decimal";
import { pairsOf } from "../settings/tagLines";

/** As the server calls what it refuses, in the order of the form. */
export const FIELDS = [
  "name",
  "limit_usd",
  "property",
  "value",
  "where",
  "window_s",
  "time_zone",
  "fallback_model",
  "thresholds",
] as const;
export type FieldName = (typeof FIELDS)[number];

/** What a field of the form holds; empty for one that is not shown. */
export type Typed = (name: string) => string;

export const WINDOW_UNITS = { minutes: 60, hours: 3_600, days: 86_400 } as const;
export type WindowUnit = keyof typeof WINDOW_UNITS;

/** What may be changed of a budget that exists. */
export function changeBody(typed: Typed, channelIds: readonly string[]) {
  const action = typed("action");
  return {
    limit_usd: typed("limit").replace(/^\$/, ""),
    action,
    fallback_model: action === "fallback" ? typed("model") : "",
    mode: typed("shadow") ? "shadow" : "enforced",
    unknown_cost: typed("unknown") || "pass",
    thresholds: percentsOf(typed("thresholds")),
    channel_ids: [...channelIds],
  };
}

/** A whole new one. Throws what is no NAME=VALUE. */
export function createBody(typed: Typed, channelIds: readonly string[]) {
  const segment = typed("segment");
  const isRolling = typed("period") === "rolling";
  return {
    ...changeBody(typed, channelIds),
    name: typed("name"),
    segment,
    property: segment === "property" ? typed("property") : "",
    value: segment === "organization" ? "" : typed("value"),
    where: pairsOf(typed("where")),
    period: typed("period"),
    window_s: isRolling ? secondsOf(typed("window"), typed("unit")) : 0,
    time_zone: isRolling ? "UTC" : typed("zone"),
  };
}

/** "50, 80 %, 100" as numbers; what is none is left for the server to name. */
export function percentsOf(text: string): (number | string)[] {
  return text
    .split(/[,;\s]+/)
    .map((percent) => percent.replace(/%$/, ""))
    .filter(Boolean)
    .map((percent) => (/^\d+$/.test(percent) ? Number(percent) : percent));
}

export function secondsOf(number: string, unit: string): number {
  return Math.round(Number(number) * (WINDOW_UNITS[unit as WindowUnit] ?? 1)) || 0;
}

/** What the form begins with. */
export function typedOf(budget: Budget | undefined, zone: string) {
  return {
    limit: budget ? digitsOf(budget.limit_usd) : "",
    action: budget?.action ?? "block",
    model: budget?.fallback_model ?? "",
    shadow: budget?.mode === "shadow",
    unknown: budget?.unknown_cost ?? "pass",
    thresholds: budget?.thresholds.join(", ") ?? "50, 80, 100",
    channels: budget?.channel_ids ?? [],
    zone,
  };
}
