/** What the pages of sessions ask, beside reports. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type Body, call, type Sealed, type View } from "./client";
import type { RequestRow } from "./requests";

export type Distribution = View<"DistributionView">;
export type SessionTree = View<"SessionTree">;

export const MOST_STEPS = 1000;

export interface Steps extends Sealed<RequestRow[]> {
  total_rows: number | null;
  has_more: boolean;
}

/** How a cost is distributed over sessions; not asked until there is a question. */
export function useDistribution(body: Body<"DistributionRequest"> | undefined) {
  return useQuery({
    queryKey: ["distribution", body],
    queryFn: ({ signal }) => call<Sealed<Distribution>>("/v1/report/distribution", { method: "POST", body, signal }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    enabled: body !== undefined,
  });
}

/** All of a session, whatever the range. */
export function useSessionTree(id: string) {
  return useQuery({
    queryKey: ["session-tree", id],
    queryFn: ({ signal }) => call<Sealed<SessionTree>>(`/v1/session/${encodeURIComponent(id)}`, { signal }),
    staleTime: 15_000,
  });
}

/** The requests of a session, the first first. */
export function useSteps(filter: unknown, timeZone: string) {
  return useQuery({
    queryKey: ["steps", filter],
    queryFn: ({ signal }) =>
      call<Steps>("/v1/request/query-clickhouse", {
        method: "POST",
        body: { filter, sort: { created_at: "asc" }, limit: MOST_STEPS, timeZone },
        signal,
      }),
    placeholderData: keepPreviousData,
    staleTime: 15_000,
  });
}
