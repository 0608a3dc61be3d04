/** What a page tells the bar above it: the seal of its figures, their period, and what its export asks. */
import { useEffect, useSyncExternalStore } from "react";
import type { Seal } from "../api/client";
import type { useReport } from "../api/queries";

/** What an export asks, and the name of its file without its ending. */
export interface Exported {
  path: "/v1/report" | "/v1/export";
  body: object;
  name: string;
}

export interface Published {
  seal?: Seal | undefined;
  period?: { start: string; end: string } | undefined;
  exported?: Exported | undefined;
  /** Whether the page can group by time too. */
  takesTime?: boolean;
  /** Whether nothing has come yet: there is nothing to choose from. */
  isFirstRun?: boolean;
}

/** The period that a report is of; none while it is still the one that was asked for before. */
export function answeredPeriod(report: Pick<ReturnType<typeof useReport>, "data" | "isPlaceholderData">) {
  if (!report.data || report.isPlaceholderData) return undefined;
  const { start, end } = report.data.data;
  return { start, end };
}

let shown: Published = {};
const listeners = new Set<() => void>();

export function usePublish(published: Published): void {
  const { seal, period, exported, takesTime = false, isFirstRun = false } = published;
  const asked = JSON.stringify(exported);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `asked` is `exported` by value
  useEffect(() => {
    shown = { seal, period, exported, takesTime, isFirstRun };
    for (const listener of listeners) listener();
  }, [seal, period?.start, period?.end, asked, takesTime, isFirstRun]);
}

export function usePublished(): Published {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => shown,
  );
}
