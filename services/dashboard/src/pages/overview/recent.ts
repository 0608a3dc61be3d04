/** Today and this week, read from one report: the hours of the week beside those of the week before. */
import type { Report, ReportRow } from "../../api/queries";
import { difference, sum } from "../../format/decimal";
import type { Maybe } from "../../format/format";

/** What a stretch of time has cost so far, and how much that differs from another; null where either is unknown. */
export interface Spent {
  cost: Maybe;
  requests: number;
  attempts: number;
  /** Requests whose cost is not in it. */
  unpriced: number;
  change: { absolute: Maybe; relative: Maybe } | null;
  shape: number[];
}

interface Figures {
  measures: Record<string, Maybe>;
}

export function todayOf(report: Report, today: string): Spent {
  const hours = (report.rows as ReportRow[]).filter(({ by }) => dateOf(by) === today);
  const cost = costOf(hours);
  const before = hours.flatMap((hour) => ("compared" in hour ? [hour.compared as unknown as Figures] : []));
  return {
    cost,
    requests: hours.reduce((all, { measures }) => all + Number(measures["requests"] ?? 0), 0),
    attempts: hours.reduce((all, { measures }) => all + Number(measures["attempts"] ?? 0), 0),
    unpriced: unpricedOf(hours),
    change: changeOf(cost, costOf(before)),
    shape: hours.map(({ measures }) => Number(measures["cost_usd"] ?? 0)),
  };
}

/** A whole report as one stretch; `shape` is by day. */
export function wholeOf(report: Report): Spent {
  const days = new Map<string, number>();
  for (const { by, measures } of report.rows as ReportRow[])
    days.set(dateOf(by), (days.get(dateOf(by)) ?? 0) + Number(measures["cost_usd"] ?? 0));
  return {
    cost: costOf([{ measures: report.total }]),
    requests: Number(report.total["requests"]),
    attempts: Number(report.total["attempts"]),
    unpriced: Number(report.total["unpriced_requests"] ?? 0),
    change: (report.compared?.total.change["cost_usd"] as Spent["change"] | undefined) ?? null,
    shape: [...days.values()],
  };
}

/** The date of a bucket where it begins: timestamps come with the offset of the report's zone. */
function dateOf(by: readonly unknown[]): string {
  return String(by[0]).slice(0, 10);
}

function unpricedOf(hours: readonly Figures[]): number {
  return hours.reduce((all, { measures }) => all + Number(measures["unpriced_requests"] ?? 0), 0);
}

/** Hours without a request cost nothing, and say nothing of those whose cost is unknown. */
function costOf(hours: readonly Figures[]): Maybe {
  const known = hours.flatMap(({ measures }) => measures["cost_usd"] ?? []);
  const total = known.length ? sum(known) : null;
  return total === "0" && unpricedOf(hours) > 0 ? null : total;
}

function changeOf(cost: Maybe, before: Maybe): Spent["change"] {
  if (cost === null || cost === undefined || before === null || before === undefined) return null;
  const absolute = difference(cost, before);
  return { absolute, relative: Number(before) === 0 ? null : Number(absolute) / Number(before) };
}
