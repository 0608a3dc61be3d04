/** What the page shows, all of it in the URL. What is not readable there is left out, never guessed. */
import { isZone } from "../format/time";

export const RANGES = ["24h", "7d", "28d", "90d", "week", "last-week", "month", "last-month"] as const;
export type RangeName = (typeof RANGES)[number];
export const COMPARES = ["previous", "week_before", "month_before", "year_before", "none"] as const;
export type CompareName = (typeof COMPARES)[number];
export const COMPARE_TITLES: Record<CompareName, string> = {
  previous: "the period before",
  week_before: "a week earlier",
  month_before: "a month earlier",
  year_before: "a year earlier",
  none: "nothing",
};
export const OPERATORS = ["equals", "not-equals", "contains", "not-contains", "gt", "gte", "lt", "lte"] as const;
export type Operator = (typeof OPERATORS)[number];

/** Name of a column, or `@Name` of a property; operator; value, where null is "has none". */
export type Chip = readonly [name: string, operator: Operator, value: string | null];

export const FIGURES = ["value", "previous", "change", "relative"] as const;
export type FigureName = (typeof FIGURES)[number];
/** In place of a measure: by the names of the groups. */
export const BY_NAME = "group";
/** Of which measure, which of its figures, and which way. */
export type Order = readonly [measure: string, figure: FigureName, direction: "asc" | "desc"];
/** A condition on groups: null is "unknown". */
export type Having = readonly [measure: string, operator: Operator, value: string | null];
export const VIEWS = ["table", "pivot", "chart"] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Search {
  range?: RangeName;
  /** ISO 8601, of a fixed range. */
  from?: string;
  to?: string;
  zone?: string;
  compare?: CompareName;
  filter?: Chip[];
  by?: string;
  columns?: string[];
  /** Of the explore page: a second dimension, or "none". */
  across?: string;
  measures?: string[];
  having?: Having[];
  order?: Order;
  top?: number;
  view?: ViewName;
  /** Of the list of requests: `-cost_usd` the dearest first, `@Feature` by a property; and where in time it begins. */
  sort?: string;
  at?: string;
  /** New requests appear in the list by themselves. */
  live?: true;
}

function oneOf<Item extends string>(items: readonly Item[], value: unknown): Item | undefined {
  return items.find((item) => item === value);
}

function isChip(value: unknown): value is Chip {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    typeof value[0] === "string" &&
    oneOf(OPERATORS, value[1]) !== undefined &&
    (typeof value[2] === "string" || value[2] === null)
  );
}

const COMPARING: readonly Operator[] = ["equals", "not-equals", "gt", "gte", "lt", "lte"];

function isHaving(value: unknown): value is Having {
  return isChip(value) && COMPARING.includes(value[1]) && (value[2] === null || Number.isFinite(Number(value[2])));
}

function isOrder(value: unknown): value is Order {
  return (
    Array.isArray(value) &&
    value.length === 3 &&
    typeof value[0] === "string" &&
    oneOf(FIGURES, value[1]) !== undefined &&
    (value[2] === "asc" || value[2] === "desc")
  );
}

function texts(value: unknown): string[] | undefined {
  const found = Array.isArray(value) ? value.filter((name) => typeof name === "string" && name) : [];
  return found.length ? found : undefined;
}

function timestamp(value: unknown): string | undefined {
  return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

export function parseSearch(raw: Record<string, unknown>): Search {
  const filter = Array.isArray(raw["filter"]) ? raw["filter"].filter(isChip) : [];
  const having = Array.isArray(raw["having"]) ? raw["having"].filter(isHaving) : [];
  const top = Number(raw["top"]);
  const from = timestamp(raw["from"]);
  const to = timestamp(raw["to"]);
  const zone = typeof raw["zone"] === "string" && isZone(raw["zone"]) ? raw["zone"] : undefined;
  const by = typeof raw["by"] === "string" && raw["by"] ? raw["by"] : undefined;
  return compact({
    range: oneOf(RANGES, raw["range"]),
    from,
    to: from ? to : undefined,
    zone,
    compare: oneOf(COMPARES, raw["compare"]),
    filter: filter.length ? filter : undefined,
    by,
    columns: texts(raw["columns"]),
    across: typeof raw["across"] === "string" && raw["across"] ? raw["across"] : undefined,
    measures: texts(raw["measures"]),
    having: having.length ? having : undefined,
    order: isOrder(raw["order"]) ? raw["order"] : undefined,
    top: Number.isInteger(top) && top > 0 && top <= 1000 ? top : undefined,
    view: oneOf(VIEWS, raw["view"]),
    sort: typeof raw["sort"] === "string" && /^-?@?./.test(raw["sort"]) ? raw["sort"] : undefined,
    at: timestamp(raw["at"]),
    live: raw["live"] === true ? true : undefined,
  });
}

function compact(search: { [Key in keyof Search]: Search[Key] | undefined }): Search {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as Search;
}

// Of these several may hold at once: neither this nor that.
const MANY: readonly Operator[] = ["not-equals", "contains", "not-contains"];

export function withChip(chips: readonly Chip[] = [], chip: Chip): Chip[] {
  const isReplaced = ([name, operator, value]: Chip) =>
    name === chip[0] && operator === chip[1] && (value === chip[2] || !MANY.includes(operator));
  return [...chips.filter((one) => !isReplaced(one)), chip];
}

export function withoutChip(chips: readonly Chip[] = [], chip: Chip): Chip[] | undefined {
  const left = chips.filter((one) => one.join("\0") !== chip.join("\0"));
  return left.length ? left : undefined;
}
