/** What the URL says, with its defaults, and how a control changes it. */
import { useNavigate, useRouter, useRouterState, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef } from "react";
import type { Bucket } from "../format/time";
import { isTime } from "./dimensions";
import { above, nextBy, placeOf } from "./drill";
import { type FilterJson, filterOf } from "./filter";
import { bucketOf, type TimeFilter, timeFilterOf } from "./range";
import { type Chip, type CompareName, type Search, withChip } from "./search";

export interface ViewState {
  search: Search;
  zone: string;
  compare: CompareName;
  by: string;
  filter: FilterJson;
  timeFilter: TimeFilter;
  bucket: Bucket;
}

const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const DEFAULT_BY = "@Feature";

// A minute's clock: two renders within it ask the same question.
const MINUTE_MS = 60_000;

export function currentMinute(): number {
  return Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
}

export function useView(): ViewState {
  const search = useSearch({ strict: false }) as Search;
  const minute = currentMinute();
  return useMemo(() => {
    const zone = search.zone ?? OWN_ZONE;
    return {
      search,
      zone,
      compare: search.compare ?? "previous",
      by: search.by && !isTime(search.by) ? search.by : DEFAULT_BY, // time is a group of the explore page alone
      filter: filterOf(search.filter),
      timeFilter: timeFilterOf(search, zone, minute),
      bucket: bucketOf(search, minute),
    };
  }, [search, minute]);
}

export type Change = Partial<{ [Key in keyof Search]: Search[Key] | undefined }>;

export function useChange(): (change: Change) => void {
  const navigate = useNavigate();
  return useCallback(
    (change: Change) => {
      void navigate({ to: ".", search: (old: Search) => ({ ...old, ...change }) as Search });
    },
    [navigate],
  );
}

/** Shows only a part of the range; Esc goes back out of it. */
export function useZoom(): (from: string, to: string) => void {
  const change = useChange();
  const { history } = useRouter();
  const depth = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.defaultPrevented || depth.current === 0) return;
      depth.current -= 1;
      history.back();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [history]);
  return (from, to) => {
    depth.current += 1;
    change({ from, to, range: undefined });
  };
}

/** Goes into a group: one more chip, and its own page or its own groups. */
export function useDrill(): (name: string, value: string | null, more?: Chip[]) => void {
  const navigate = useNavigate();
  return useCallback(
    (name, value, more = []) => {
      const place = placeOf([name, "equals", value]);
      const add = ({ by, ...old }: Search): Search => {
        const filter = [...more, [name, "equals", value] as const].reduce<Chip[]>(withChip, [...(old.filter ?? [])]);
        const next = place ? undefined : (nextBy(name) ?? by);
        return { ...old, filter, ...(next ? { by: next } : {}) };
      };
      void navigate({ ...(place ?? { to: "." }), search: add });
    },
    [navigate],
  );
}

/** Goes to what the page is part of: from a request to its session, from there to its user, from there to all users. */
export function useUp(): () => void {
  const navigate = useNavigate();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const { filter } = useSearch({ strict: false }) as Search;
  return useCallback(() => {
    const { place, chips } = above(path, filter);
    void navigate({
      ...place,
      search: ({ filter: _, ...old }: Search) => (chips.length ? { ...old, filter: chips } : old),
    });
  }, [navigate, path, filter]);
}
