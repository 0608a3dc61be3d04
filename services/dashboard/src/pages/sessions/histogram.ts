/** The bars of a distribution as a chart draws them. */
import type { Distribution } from "../../api/sessions";
import type { Maybe } from "../../format/format";

export interface Column {
  from: Maybe;
  to: Maybe;
  count: number;
  cost: Maybe;
  /** Of the highest; between 0 and 1. */
  height: number;
  isOutliers: boolean;
}

type Bars = Pick<Distribution, "bars" | "outlier_above_usd" | "outlier_count">;

/** What is far out is the last bar, where there is any. */
export function columnsOf({ bars, outlier_count: outliers }: Bars): Column[] {
  const most = Math.max(1, ...bars.map(({ count }) => Number(count)));
  return bars.map(({ from_usd: from, to_usd: to, count, cost_usd: cost }, index) => ({
    from,
    to,
    count: Number(count),
    cost,
    height: Number(count) / most,
    isOutliers: Number(outliers) > 0 && index === bars.length - 1,
  }));
}

/** Where an amount stands among the columns, as a share of their width; undefined where it is in none. */
export function placeOf(columns: readonly Column[], amount: Maybe): number | undefined {
  if (amount === null || amount === undefined) return undefined;
  const value = Number(amount);
  const index = columns.findLastIndex(({ from }) => value >= Number(from));
  const column = columns[index];
  if (!column || value > Number(column.to)) return undefined;
  const width = Number(column.to) - Number(column.from);
  return (index + (width ? (value - Number(column.from)) / width : 0.5)) / columns.length;
}
