/** From a report to the bars of a chart: what is shown of each group, and in which order. */

import type { Digits } from "../api/json";
import type { Grouping, ReportRow } from "../api/queries";
import { difference, sum } from "../format/decimal";
import { axisMoney, compactCount, count, type Maybe, money } from "../format/format";

export const COLOURS = 8;
export const SHOWN_GROUPS = 7;

/** What a chart shows of each group. */
export interface ChartMeasure {
  measure: string;
  title: string;
  text: (value: Maybe) => string;
  /** Short, for the axis. */
  axis: (value: number) => string;
  /** Whether groups add up: bars are stacked then, and all else are lines. */
  adds: boolean;
}

export const COST: ChartMeasure = {
  measure: "cost_usd",
  title: "Cost",
  text: money,
  axis: (value) => axisMoney(value),
  adds: true,
};
export const REQUESTS: ChartMeasure = {
  measure: "requests",
  title: "Requests",
  text: count,
  axis: compactCount,
  adds: true,
};

export interface Series {
  /** The group's value; null where requests have none. */
  value: string | null;
  key: string;
  /** From 1 on; 0 is the neutral colour of the rest. */
  colour: number;
  /** A figure a bucket; null: unknown, or no requests. */
  figures: (Digits | null)[];
}

export interface Bars {
  starts: string[];
  series: Series[];
  totals: (Digits | null)[];
  /** Requests a bucket whose cost is unknown. */
  unknown: number[];
}

export const REST = "\u0000rest";
export const ALL = "\u0000all";

export function keyOf(value: unknown): string {
  return value === null || value === undefined ? "\u0000none" : String(value);
}

const instantOf = (bucket: unknown): number => Date.parse(String(bucket));

/** Colours by rank, kept for as long as a name is among those seen: a filter recolours nothing. */
export class Palette {
  private readonly known = new Map<string, number>();

  colourOf(keys: readonly string[]): number[] {
    return keys.map((key) => {
      const found = this.known.get(key);
      if (found !== undefined) return found;
      const taken = new Set(keys.map((other) => this.known.get(other)));
      const free = Array.from({ length: COLOURS }, (_, index) => index + 1).find((colour) => !taken.has(colour)) ?? 0;
      this.known.set(key, free);
      return free;
    });
  }
}

// One palette a grouping, as long as the page is open.
const palettes = new Map<string, Palette>();

export function paletteOf(by: string): Palette {
  const found = palettes.get(by) ?? new Palette();
  palettes.set(by, found);
  return found;
}

/**
 * `buckets` by time alone, `groups` by value, `cells` by value and time. What `cells` leave of a bucket's total is the
 * rest, so bars add up to the totals, to the last digit.
 */
export function barsOf(
  buckets: Grouping,
  groups: Grouping,
  cells: Grouping,
  { measure, adds }: Pick<ChartMeasure, "measure" | "adds">,
  palette: Palette,
): Bars {
  const rows = buckets.rows as ReportRow[];
  const starts = rows.map((row) => String(row.by[0]));
  const at = new Map(starts.map((start, index) => [instantOf(start), index]));
  const totals = rows.map((row) => figureOf(row, measure));
  const shown = groups.rows.slice(0, SHOWN_GROUPS).map((row) => row.by[0] ?? null);
  const keys = shown.map(keyOf);
  const colours = palette.colourOf(keys);
  const series: Series[] = shown.map((value, index) => ({
    value: value === null ? null : String(value),
    key: keys[index] ?? "",
    colour: colours[index] ?? 0,
    figures: starts.map(() => null),
  }));
  const byKey = new Map(series.map((one) => [one.key, one]));
  for (const row of cells.rows as ReportRow[]) {
    const one = byKey.get(keyOf(row.by[0]));
    const index = at.get(instantOf(row.by[1]));
    if (one && index !== undefined) one.figures[index] = figureOf(row, measure);
  }
  const rest = adds ? restOf(totals, series) : [];
  if (rest.some((figure) => figure !== null)) series.push({ value: null, key: REST, colour: 0, figures: rest });
  return { starts, series, totals, unknown: rows.map((row) => Number(row.measures["unpriced_requests"] ?? 0)) };
}

const CAP = 0.02; // of the highest bar, for unknown spend

export function highestOf({ totals }: Pick<Bars, "totals">): number {
  return Math.max(...totals.map((total) => Number(total ?? 0)), 0);
}

/** How high the hatched cap is that stands for unknown spend. */
export function capOf(bars: Pick<Bars, "totals">): number {
  return (highestOf(bars) || 1) * CAP;
}

/** What stands at a height of a bar: one of the series, or the cap; undefined above and below it. */
export function partAt(bars: Bars, index: number, height: number): Series | "unknown" | undefined {
  let below = 0;
  if (height < 0) return undefined;
  for (const one of bars.series) {
    below += Number(one.figures[index] ?? 0);
    if (height <= below) return one;
  }
  return (bars.unknown[index] ?? 0) > 0 && height <= below + capOf(bars) ? "unknown" : undefined;
}

export interface Part {
  series: Series;
  figure: Digits;
}

/** The figures of all bars from `first` to `last` together, the largest first. */
export function spanOf({ series, totals, unknown }: Bars, first: number, last: number) {
  const together = (figures: readonly (Digits | null)[]): Digits | null => {
    const known = figures.slice(first, last + 1).filter((figure) => figure !== null);
    return known.length > 1 ? sum(known) : (known[0] ?? null);
  };
  const parts = series.flatMap((one): Part[] => {
    const figure = together(one.figures);
    return figure === null ? [] : [{ series: one, figure }];
  });
  return {
    parts: parts.sort((left, right) => Number(right.figure) - Number(left.figure)),
    total: together(totals),
    unknown: unknown.slice(first, last + 1).reduce((all, requests) => all + requests, 0),
  };
}

/** One series of all requests. */
export function allOf(buckets: Grouping, measure: string): Bars {
  const rows = buckets.rows as ReportRow[];
  const totals = rows.map((row) => figureOf(row, measure));
  return {
    starts: rows.map((row) => String(row.by[0])),
    series: [{ value: null, key: ALL, colour: 1, figures: totals }],
    totals,
    unknown: rows.map((row) => Number(row.measures["unpriced_requests"] ?? 0)),
  };
}

function figureOf(row: ReportRow, measure: string): Digits | null {
  return row.measures[measure] ?? null;
}

function restOf(totals: (Digits | null)[], series: Series[]): (Digits | null)[] {
  return totals.map((total, index) => {
    if (total === null) return null;
    const known = series.flatMap(({ figures }) => figures[index] ?? []);
    const rest = difference(total, sum(known));
    return rest === "0" ? null : rest;
  });
}

/** What the total has beside the groups that are shown; undefined where they are all. */
export function othersOf(
  rows: readonly ReportRow[],
  shown: number,
  { truncated }: Pick<Grouping, "truncated">,
  total: Record<string, Maybe>,
  measure: string,
): { title: string; value: Maybe; unpriced: number } | undefined {
  if (rows.length <= shown && !truncated) return undefined;
  const parts = rows.slice(0, shown);
  const whole = total[measure];
  const known = parts.flatMap(({ measures }) => measures[measure] ?? []);
  const unpriced = (measures: Record<string, unknown>) => Number(measures["unpriced_requests"] ?? 0);
  return {
    title: truncated ? "all others" : rows.length - shown === 1 ? "1 other" : `${rows.length - shown} others`,
    value: whole === null || whole === undefined ? null : difference(whole, sum(known)),
    unpriced: unpriced(total) - parts.reduce((all, { measures }) => all + unpriced(measures), 0),
  };
}

/** What a month comes to at the pace of its whole days so far: from, to. Null with less than five of them. */
export function projection(days: readonly number[], daysLeft: number): [number, number] | null {
  const whole = days.slice(0, -1);
  if (whole.length < 5 || daysLeft <= 0) return null;
  const mean = whole.reduce((total, day) => total + day, 0) / whole.length;
  const variance = whole.reduce((total, day) => total + (day - mean) ** 2, 0) / (whole.length - 1);
  const known = days.reduce((total, day) => total + day, 0);
  const today = Math.max(0, mean - (days.at(-1) ?? 0));
  const middle = known + today + mean * daysLeft;
  const spread = 1.28 * Math.sqrt(variance * (daysLeft + 1)); // eight of ten months end within
  return [Math.max(known, middle - spread), middle + spread];
}
