/** A budget in words: for whom, for how long, what happens at its end; and how near that is. */
import type { Budget, BudgetSpend, Counter } from "../../api/budgets";
import type { Digits } from "../../api/json";
import { count } from "../../format/format";

const MINUTE_S = 60;
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", MINUTE_S],
  ["second", 1],
] as const;

/** "28 days", "90 minutes": in the largest unit of which it is a whole number. */
export function durationText(seconds: number): string {
  const [unit, length] = UNITS.find(([, length]) => seconds % length === 0) ?? ["second", 1];
  const number = seconds / length;
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** "in 3 days", "in 5 h": of what is yet to come, to the largest unit. */
export function untilText(timestamp: string, now: number): string {
  const seconds = Math.max(0, Math.round((Date.parse(timestamp) - now) / 1000));
  if (seconds < MINUTE_S) return `in ${seconds} s`;
  if (seconds < 3_600) return `in ${Math.floor(seconds / MINUTE_S)} min`;
  if (seconds < 2 * 86_400) return `in ${Math.floor(seconds / 3_600)} h`;
  return `in ${Math.floor(seconds / 86_400)} days`;
}

type Segmented = Pick<Budget, "segment" | "property" | "value" | "where">;

/** What has a counter of its own: "user", "feature". */
export function subjectTitle({ segment, property }: Pick<Budget, "segment" | "property">): string {
  return segment === "property" ? property : segment;
}

/** "the organization", "each user", "user ann". */
export function forWhom(budget: Segmented): string {
  if (budget.segment === "organization") return "the organization";
  return budget.value ? `${subjectTitle(budget)} ${budget.value}` : `each ${subjectTitle(budget)}`;
}

/** "usertier = free and environment = production"; empty without a condition. */
export function conditionText({ where }: Pick<Budget, "where">): string {
  return Object.entries(where)
    .map(([name, value]) => `${name} = ${value}`)
    .join(" and ");
}

/** Whether each user, key, session or value has a counter of its own. */
export function isGrouped({ segment, value }: Pick<Budget, "segment" | "value">): boolean {
  return segment !== "organization" && !value;
}

export function windowText({ period, window_s, time_zone }: Pick<Budget, "period" | "window_s" | "time_zone">): string {
  if (period === "rolling") return `any ${durationText(Number(window_s))}`;
  return `each ${period}, ${time_zone.replaceAll("_", " ")}`;
}

/** What becomes of a request without room, in a few words. */
export function actionText({ action, fallback_model }: Pick<Budget, "action" | "fallback_model">): string {
  if (action === "fallback") return `fall back to ${fallback_model}`;
  return action;
}

type Enforced = Pick<Budget, "action" | "fallback_model" | "mode">;

/** Whether it ever keeps a request without room from its model; a shadow only records that it would. */
export function refuses({ action, mode }: Enforced): boolean {
  return mode === "enforced" && action !== "notify";
}

/** The same as a sentence. */
export function actionSentence(budget: Enforced): string {
  const would = budget.mode === "shadow" ? "would be " : "";
  const is = would || "is ";
  const then = {
    notify: "A request without room passes; thresholds are reported.",
    block: `A request without room ${is}refused with 429.`,
    fallback: `A request without room ${is}sent to ${budget.fallback_model}; where it cannot be, it ${is}refused with 429.`,
  }[budget.action];
  return would && budget.action !== "notify" ? `${then} In shadow that is recorded, and not done.` : then;
}

export function shareOf(spent: Digits, limit: Digits): number {
  return Number(limit) > 0 ? Number(spent) / Number(limit) : 0;
}

export type Level = "room" | "near" | "over";
const NEAR = 0.8;

export function levelOf(share: number): Level {
  if (share >= 1) return "over";
  return share >= NEAR ? "near" : "room";
}

/** Beside a bar, so that its colour says nothing alone. */
export const LEVELS: Record<Level, string> = { room: "", near: "near its limit", over: "over its limit" };

const RANKED = 100; // values whose counters the server looks at

/** Of a budget for each value: how many are over the limit, else of how many the highest is shown. */
export function subjectsText({ counters, used_up }: Pick<BudgetSpend, "counters" | "used_up">): string {
  if (!Number(used_up)) return `the highest of ${count(counters)}`;
  const all = Number(counters) > RANKED ? `the ${RANKED} that spent most` : count(counters);
  return `${count(used_up)} of ${all} over the limit`;
}

/** Those with the least left first: all have the same limit. */
export function nearest(counters: readonly Counter[]): Counter[] {
  return [...counters].sort((left, right) => Number(left.remaining_usd) - Number(right.remaining_usd));
}
