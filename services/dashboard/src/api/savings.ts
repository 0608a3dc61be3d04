/** What caches saved, and what could be saved. */
import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { type Body, call, type Sealed, type View } from "./client";
import type { Digits } from "./json";

export type Repeats = View<"RepeatsView">;
export type PromptCaches = View<"PromptCacheView">;
export type WhatIf = View<"WhatIfView">;
export type CachedRequest = View<"CachedRequest">;
export type SavedTime = Sealed<Digits | null> & { coverage: View<"HitsCoverage"> };

export type Answer<Data> = UseQueryResult<Data, Error>;

const FRESH_MS = 60_000;

function useAsked<Data>(path: string, body: object): Answer<Data> {
  return useQuery({
    queryKey: [path, body],
    queryFn: ({ signal }) => call<Data>(path, { method: "POST", body, signal }),
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
  });
}

export function useRepeats(body: Body<"RepeatsRequest">) {
  return useAsked<Sealed<Repeats>>("/v1/savings/repeats", body);
}

export function usePromptCaches(body: Body<"PromptCacheRequest">) {
  return useAsked<Sealed<PromptCaches>>("/v1/savings/prompt-cache", body);
}

export function useWhatIf(body: Body<"WhatIfRequest">) {
  return useAsked<Sealed<WhatIf>>("/v1/savings/what-if", body);
}

export function useTimeSaved(body: Body<"CacheRequest">) {
  return useAsked<SavedTime>("/api/cache/time_saved", body);
}

export function useTopCached(body: Body<"TopCachedRequest">) {
  return useAsked<Sealed<CachedRequest[]>>("/api/cache/requests", body);
}
