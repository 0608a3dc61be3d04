/** From a report to a table of two dimensions. What the cells leave of a total is its rest, to the last digit. */
import type { Grouping, ReportRow } from "../../api/queries";
import { keyOf } from "../../chart/series";
import { difference, sum } from "../../format/decimal";
import type { Maybe } from "../../format/format";
import { isTime } from "../../state/dimensions";
import { measureOf } from "./measures";

export type Figures = Record<string, Maybe>;

export interface Line {
  key: string;
  /** Of the first dimension; null where requests have none. */
  value: string | null;
  presence: string | undefined;
  /** One for each column; undefined where there is no request. */
  cells: (Figures | undefined)[];
  /** What the columns leave of `total`. */
  rest: Figures;
  total: Figures;
  /** Absolute and relative, by measure. */
  change: Change;
}

export type Change = Record<string, { absolute: Maybe; relative: Maybe } | null>;

export interface Pivot {
  /** Values of the second dimension. */
  columns: { key: string; value: string | null }[];
  lines: Line[];
  rest: Line;
  total: Line;
  isTruncated: boolean;
}

type Row = ReportRow;

/** Instants of one bucket may be written with different offsets. */
export function keyIn(dimension: string, value: unknown): string {
  return isTime(dimension) ? String(Date.parse(String(value))) : keyOf(value);
}

export function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

export function changeOf(row: unknown): Change {
  return ((row as { compared?: { change?: Change } }).compared?.change ?? {}) as Change;
}

/** `cells` by both dimensions, `rows` by the first and `columns` by the second alone. */
export function pivotOf(
  by: string,
  across: string,
  measures: readonly string[],
  cells: Grouping,
  rows: Grouping,
  columns: Grouping,
): Pivot {
  const heads = (columns.rows as Row[]).map((row) => ({
    key: keyIn(across, row.by[0]),
    value: textOf(row.by[0]),
    total: row.measures as Figures,
  }));
  const at = new Map(heads.map(({ key }, index) => [key, index]));
  const lines = (rows.rows as Row[]).map((row): Line => {
    const total = row.measures as Figures;
    return {
      key: keyIn(by, row.by[0]),
      value: textOf(row.by[0]),
      presence: "compared" in row ? row.compared.presence : undefined,
      cells: heads.map(() => undefined),
      rest: {},
      total,
      change: changeOf(row),
    };
  });
  const byKey = new Map(lines.map((line) => [line.key, line]));
  for (const cell of cells.rows as Row[]) {
    const column = at.get(keyIn(across, cell.by[1]));
    const line = byKey.get(keyIn(by, cell.by[0]));
    if (line && column !== undefined) line.cells[column] = cell.measures as Figures;
  }
  for (const line of lines) line.rest = left(measures, line.total, line.cells);
  const total: Line = {
    key: "total",
    value: null,
    presence: undefined,
    cells: heads.map((head) => head.total),
    rest: {},
    total: cells.total as Figures,
    change: changeOf({ compared: cells.compared?.total }),
  };
  total.rest = left(measures, total.total, total.cells);
  return {
    columns: heads.map(({ key, value }) => ({ key, value })),
    lines,
    rest: restLine(measures, lines, total, rows),
    total,
    isTruncated: rows.truncated,
  };
}

function restLine(measures: readonly string[], lines: Line[], total: Line, rows: Grouping): Line {
  return {
    key: "rest",
    value: null,
    presence: undefined,
    cells: total.cells.map((figures, column) =>
      figures
        ? left(
            measures,
            figures,
            lines.map((line) => line.cells[column]),
          )
        : undefined,
    ),
    rest: left(
      measures,
      total.rest,
      lines.map((line) => line.rest),
    ),
    total: (rows.rest as Figures | null) ?? nothing(measures),
    change: changeOf({ compared: rows.compared?.rest }),
  };
}

export function nothing(measures: readonly string[]): Figures {
  return Object.fromEntries(measures.map((name) => [name, measureOf(name).adds ? 0 : null]));
}

/** What `parts` leave of `whole`; null of what does not add up, and where the whole is unknown. */
function left(measures: readonly string[], whole: Figures, parts: readonly (Figures | undefined)[]): Figures {
  const names = measures.includes("unpriced_requests") ? measures : [...measures, "unpriced_requests"];
  return Object.fromEntries(
    names.map((name) => {
      const value = whole[name];
      if (!measureOf(name).adds || value === null || value === undefined) return [name, null];
      return [name, difference(value, sum(parts.flatMap((part) => part?.[name] ?? [])))];
    }),
  );
}

/** How dark a cell is: its share of the largest one, of what adds up. */
export function largestOf(pivot: Pivot, measure: string): number {
  return Math.max(0, ...pivot.lines.flatMap(({ cells }) => cells.map((cell) => Number(cell?.[measure] ?? 0))));
}
