/** The guide's tree: environments, and in each its features; sums are those of the report, whatever is left out. */
import type { Grouping, ReportRow } from "../../api/queries";
import { difference, sum } from "../../format/decimal";
import type { Maybe } from "../../format/format";

export const FEATURES = 6; // of each environment

export interface Figures {
  cost: Maybe;
  requests: number;
  unpriced: number;
}

export interface Leaf extends Figures {
  name: string | null;
}

export interface Branch extends Leaf {
  leaves: Leaf[];
  /** What its other features are together; missing where all are shown. */
  rest?: Figures;
}

/** `environments` by that alone, `pairs` by environment and feature: both as long as the report has them. */
export function branchesOf(environments: Grouping, pairs: Grouping): Branch[] {
  const leaves = new Map<string | null, Leaf[]>();
  for (const row of pairs.rows as ReportRow[]) {
    const environment = nameOf(row.by[0]);
    leaves.set(environment, [...(leaves.get(environment) ?? []), leafOf(row, 1)]);
  }
  return (environments.rows as ReportRow[]).map((row) => {
    const branch = leafOf(row, 0);
    const shown = (leaves.get(branch.name) ?? []).slice(0, FEATURES);
    const rest = lessOf(branch, shown);
    return { ...branch, leaves: shown, ...(rest.requests > 0 ? { rest } : {}) };
  });
}

/** What the environments are together that have no line; undefined where all have one. */
export function restOf({ rest }: Grouping): Figures | undefined {
  const figures = rest && figuresOf(rest as ReportRow["measures"]);
  return figures && figures.requests > 0 ? figures : undefined;
}

function lessOf(whole: Figures, parts: readonly Figures[]): Figures {
  const of = (read: (figures: Figures) => number) => parts.reduce((all, part) => all + read(part), 0);
  const known = parts.flatMap(({ cost }) => cost ?? []);
  const requests = whole.requests - of((part) => part.requests);
  const unpriced = whole.unpriced - of((part) => part.unpriced);
  const cost = whole.cost === null || whole.cost === undefined ? null : difference(whole.cost, sum(known));
  return { cost, requests, unpriced };
}

function leafOf({ by, measures }: ReportRow, at: number): Leaf {
  return { name: nameOf(by[at]), ...figuresOf(measures) };
}

function figuresOf(measures: ReportRow["measures"]): Figures {
  return {
    cost: measures["cost_usd"] ?? null,
    requests: Number(measures["requests"] ?? 0),
    unpriced: Number(measures["unpriced_requests"] ?? 0),
  };
}

function nameOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
