/** What the explore page asks: one report, whose groups, cells and totals all belong together. */
import type { ReportBody } from "../../api/queries";
import { byOf, isTime } from "../../state/dimensions";
import { BY_NAME, type Having, type Order, type Search, type ViewName } from "../../state/search";
import { DEFAULT_BY, type ViewState } from "../../state/view";

export const DEFAULT_ACROSS = "model";
/** A pivot has its figures for each column, so it begins with one. */
const DEFAULT_MEASURES: Record<ViewName, readonly string[]> = {
  pivot: ["cost_usd"],
  table: ["cost_usd", "requests"],
  chart: ["cost_usd"],
};
export const DEFAULT_TOP = 25;
export const NONE = "none";

const MOST_CELLS = 6000;
const MOST_COLUMNS = 10;
const MOST_TIMES = 96; // a day of quarter hours
const MOST_LINES = 400;

export interface Exploration {
  by: string;
  across: string | undefined;
  measures: readonly string[];
  /** The measure of the chart and of the order. */
  main: string;
  having: readonly Having[];
  order: Order | undefined;
  top: number;
  view: ViewName;
}

export function explorationOf(search: Search): Exploration {
  const by = search.by ?? DEFAULT_BY;
  const wanted = search.across ?? (by === DEFAULT_ACROSS ? DEFAULT_BY : DEFAULT_ACROSS);
  const across = wanted === NONE || wanted === by || (isTime(by) && isTime(wanted)) ? undefined : wanted;
  const wantedView = search.view ?? "pivot";
  const view = wantedView === "pivot" && !across ? "table" : wantedView;
  const measures = search.measures ?? DEFAULT_MEASURES[view];
  return {
    by,
    across,
    measures,
    main: search.order && measures.includes(search.order[0]) ? search.order[0] : (measures[0] ?? "cost_usd"),
    having: search.having ?? [],
    order: search.order,
    top: search.top ?? DEFAULT_TOP,
    view,
  };
}

type Grouping = NonNullable<ReportBody["breakdowns"]>[number];

function orderBy({ order, main }: Exploration): NonNullable<ReportBody["orderBy"]> {
  const [measure, figure, direction] = order ?? [main, "value", "desc"];
  return measure === BY_NAME ? { direction, figure: "value" } : { measure, figure, direction };
}

/** Groups of one dimension: of time in its course, else the largest first. */
function ordered(exploration: Exploration, dimension: string): Pick<Grouping, "orderBy"> | object {
  return isTime(dimension) && !exploration.order ? {} : { orderBy: orderBy(exploration) };
}

export function havingOf(conditions: readonly Having[]): NonNullable<ReportBody["having"]> {
  const all: Record<string, Record<string, unknown>> = {};
  for (const [measure, operator, value] of conditions)
    all[measure] = { ...all[measure], [operator]: value === null ? null : Number(value) };
  return all;
}

/** What all of its questions have in common. */
function common(view: ViewState, { order, measures }: Exploration): Partial<ReportBody> {
  const isCompared = view.compare !== "none";
  const isMissing = order && order[0] !== BY_NAME && !measures.includes(order[0]);
  return {
    measures: isMissing ? [...measures, order[0]] : [...measures],
    filter: view.filter,
    timeFilter: view.timeFilter,
    timeZone: view.zone,
    ...(isCompared ? { compare: view.compare as never } : {}),
  } as Partial<ReportBody>;
}

/** Groups as a flat table. */
function tableQuestion(view: ViewState, exploration: Exploration): ReportBody {
  const { by, across, having, top } = exploration;
  const isOneTime = isTime(by) && !across;
  return {
    ...common(view, exploration),
    by: across ? [byOf(by), byOf(across)] : [byOf(by)],
    limit: isOneTime && !exploration.order ? Math.max(top, MOST_LINES) : top,
    fill: isOneTime && !exploration.order && !having.length,
    having: havingOf(having),
    ...(isTime(by) && !exploration.order ? {} : { orderBy: orderBy(exploration) }),
  } as ReportBody;
}

/** Cells by both dimensions; beside them the groups of the first (0) and the columns of the second (1) alone. */
function pivotQuestion(view: ViewState, exploration: Exploration, across: string): ReportBody {
  const { by, having, main } = exploration;
  const rows = {
    by: [byOf(by)],
    limit: isTime(by) && !exploration.order ? Math.max(exploration.top, MOST_TIMES) : exploration.top,
    having: havingOf(having),
    ...ordered(exploration, by),
  };
  const columns = isTime(across)
    ? { by: [byOf(across)], limit: MOST_TIMES, fill: true, having: {} }
    : { by: [byOf(across)], limit: MOST_COLUMNS, having: {}, orderBy: { measure: main, direction: "desc" } };
  return {
    ...common(view, exploration),
    by: [byOf(by), byOf(across)],
    limit: MOST_CELLS,
    orderBy: { measure: main, direction: "desc" },
    breakdowns: [rows, columns],
  } as ReportBody;
}

/** Over time by the other dimension: what bars are made of. */
function timeQuestion(view: ViewState, exploration: Exploration, time: string, other?: string): ReportBody {
  const groups = other
    ? [
        {
          by: [byOf(other)],
          limit: exploration.top,
          having: havingOf(exploration.having),
          ...ordered(exploration, other),
        },
      ]
    : [];
  return {
    ...common(view, exploration),
    by: other ? [byOf(other), byOf(time)] : [byOf(time)],
    limit: MOST_CELLS,
    ...(other ? { orderBy: { measure: exploration.main, direction: "desc" } } : {}),
    breakdowns: [{ by: [byOf(time)], limit: 1000, fill: true, having: {} }, ...groups],
  } as ReportBody;
}

export function timeOf({ by, across }: Exploration): { time: string; other: string | undefined } | undefined {
  if (isTime(by)) return { time: by, other: across };
  return across && isTime(across) ? { time: across, other: by } : undefined;
}

export function questionOf(view: ViewState, exploration: Exploration): ReportBody {
  const inTime = timeOf(exploration);
  if (exploration.view === "chart" && inTime) return timeQuestion(view, exploration, inTime.time, inTime.other);
  return exploration.view !== "table" && exploration.across
    ? pivotQuestion(view, exploration, exploration.across)
    : tableQuestion(view, exploration);
}

/** What is shown, a line for each cell: a file has no second dimension. */
export function exportQuestion(view: ViewState, exploration: Exploration): ReportBody {
  const { breakdowns, ...cells } = questionOf(view, exploration);
  return cells as ReportBody;
}
