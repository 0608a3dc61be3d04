/** By which column a ledger is sorted, as the URL says it: `requests`, or `-cost_usd` from the highest on. */
import { useNavigate, useSearch } from "@tanstack/react-router";

export interface Sorting {
  column: string;
  direction: "asc" | "desc";
}

export function parseSorting(text: unknown, known: readonly string[], standard: Sorting): Sorting {
  if (typeof text !== "string") return standard;
  const column = text.replace(/^-/, "");
  if (!known.includes(column)) return standard;
  return { column, direction: text.startsWith("-") ? "desc" : "asc" };
}

export function sortingText({ column, direction }: Sorting): string {
  return direction === "desc" ? `-${column}` : column;
}

/** A click on the head of the sorted column turns it round; another one begins with its highest, or its first text. */
export function nextSorting(now: Sorting, column: string, isText: boolean): Sorting {
  if (now.column === column) return { column, direction: now.direction === "desc" ? "asc" : "desc" };
  return { column, direction: isText ? "asc" : "desc" };
}

/** What one page keeps in the URL beside what all have: `undefined` takes a name away. */
export function useOwnSearch(): [Record<string, unknown>, (change: Record<string, unknown>) => void] {
  const search = useSearch({ strict: false }) as Record<string, unknown>;
  const navigate = useNavigate();
  const change = (change: Record<string, unknown>) =>
    void navigate({ to: ".", search: (old: object) => ({ ...old, ...change }) as never, replace: true });
  return [search, change];
}

/** Rows in order of what is read of them; those without it last, whichever way. */
export function sorted<Row>(
  rows: readonly Row[],
  read: (row: Row) => string | undefined,
  direction: Sorting["direction"],
) {
  const sign = direction === "desc" ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [left, right] = [read(one), read(other)];
    if (!left || !right) return Number(!left) - Number(!right);
    return sign * left.localeCompare(right, "en", { numeric: true });
  });
}
