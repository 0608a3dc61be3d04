/** What the prices page asks, and what an admin key changes there. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Body, call, type Sealed, type View } from "./client";

export type UsedPrices = View<"UsedPrices">;
export type UsedPrice = View<"UsedPrice">;
export type Price = View<"PriceView">;
export type OwnPrice = View<"OperatorPriceView">;
export type AddedPrice = View<"AddedPriceView">;
export type Reprice = View<"RepriceView">;
export type Difference = View<"DifferenceView">;
export type UnknownModel = View<"UnknownModel">;

const FRESH_MS = 15_000;
const POLL_MS = 700;

export function useUsedPrices(since: string, zone: string) {
  return useQuery({
    queryKey: ["prices", "used", since, zone],
    queryFn: ({ signal }) =>
      call<Sealed<UsedPrices>>(`/v1/prices/used?${new URLSearchParams({ since, time_zone: zone })}`, { signal }),
    staleTime: FRESH_MS,
  });
}

export function useOwnPrices() {
  return useQuery({
    queryKey: ["prices", "own"],
    queryFn: ({ signal }) => call<{ data: View<"PricesView"> }>("/v1/prices", { signal }),
    staleTime: FRESH_MS,
  });
}

export function useReprices() {
  return useQuery({
    queryKey: ["prices", "reprices"],
    queryFn: ({ signal }) => call<{ data: Reprice[] }>("/v1/reprice", { signal }),
    staleTime: FRESH_MS,
    refetchInterval: ({ state }) => (state.data?.data.some(isUnderWay) ? POLL_MS : false),
  });
}

export function isUnderWay({ state }: Pick<Reprice, "state">): boolean {
  return state === "running" || state === "undoing";
}

/** One run, looked at until it has ended. */
export function useReprice(run: Reprice | undefined) {
  return useQuery({
    queryKey: ["prices", "reprice", run?.id, run?.state],
    queryFn: ({ signal }) => call<{ data: Reprice }>(`/v1/reprice/${run?.id}`, { signal }),
    enabled: run !== undefined && isUnderWay(run),
    refetchInterval: ({ state }) => (state.data && !isUnderWay(state.data.data) ? false : POLL_MS),
  }).data?.data;
}

export function useAddPrice() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Body<"PriceRequest">) =>
      call<{ data: AddedPrice }>("/v1/prices", { method: "POST", body }).then(({ data }) => data),
    onSuccess: () => client.invalidateQueries({ queryKey: ["prices"] }),
  });
}

export function useEndPrice() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => call(`/v1/prices/${encodeURIComponent(id)}/end`, { method: "POST", body: {} }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["prices"] }),
  });
}

export type RepriceBody = Pick<Body<"RepriceRequest">, "model" | "provider" | "since" | "time_zone">;

export function useBeginReprice() {
  return useMutation({
    mutationFn: (body: RepriceBody & { dry_run: boolean }) =>
      call<{ data: Reprice }>("/v1/reprice", { method: "POST", body }).then(({ data }) => data),
  });
}

export function useUndoReprice() {
  const forget = useForgetFigures();
  return useMutation({
    mutationFn: (id: string) =>
      call<{ data: Reprice }>(`/v1/reprice/${id}/undo`, { method: "POST" }).then(({ data }) => data),
    onSettled: forget,
  });
}

/** After costs have changed, every figure of every page is asked for again. */
export function useForgetFigures() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
}
