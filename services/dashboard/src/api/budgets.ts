/** What the pages of budgets ask, and what an admin key changes there. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Body, call, type View } from "./client";

export type Budget = View<"BudgetView">;
export type ListedBudget = View<"ListedBudget">;
export type BudgetState = View<"BudgetState">;
export type BudgetSpend = View<"BudgetSpend">;
export type Counter = View<"CounterView">;
export type Forecast = View<"ForecastView">;
export type BudgetEvent = View<"BudgetEvent">;

const BUDGETS = "/v1/budgets";
const REFRESH_MS = 15_000;
const LIST_REFRESH_MS = 60_000; // it asks the ledger about each budget that is grouped

export function useBudgets() {
  return useQuery({
    queryKey: ["budgets", "list"],
    queryFn: ({ signal }) => call<{ data: ListedBudget[] }>(`${BUDGETS}?spend=true`, { signal }),
    refetchInterval: LIST_REFRESH_MS,
  });
}

/** With the forecast of the counter that has the least left, or of that for `value`. */
export function useBudget(id: string, value?: string, enabled = true) {
  const address = `${BUDGETS}/${encodeURIComponent(id)}`;
  const query = value === undefined ? "" : `?${new URLSearchParams({ value })}`;
  return useQuery({
    queryKey: ["budgets", "one", id, value],
    queryFn: ({ signal }) => call<{ data: BudgetState }>(address + query, { signal }),
    refetchInterval: REFRESH_MS,
    enabled,
  });
}

/** The latest requests that it acted on, or would have. */
export function useBudgetHistory(id: string) {
  return useQuery({
    queryKey: ["budgets", "history", id],
    queryFn: ({ signal }) => call<{ data: BudgetEvent[] }>(`${BUDGETS}/${encodeURIComponent(id)}/history`, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  });
}

interface Change {
  path: string;
  method: "POST" | "PATCH" | "DELETE";
  body?: unknown;
}

/** Changes a budget, after which what is shown of budgets is asked for again. */
export function useBudgetChange<Shown = Budget>() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ path, ...options }: Change) =>
      call<{ data: Shown }>(BUDGETS + path, options).then(({ data }) => data),
    // What was removed is not asked for again.
    onSuccess: (_, { method, path }) =>
      client.invalidateQueries({
        queryKey: method === "DELETE" && !path.endsWith("/override") ? ["budgets", "list"] : ["budgets"],
      }),
  });
}

/** Amounts go as they were typed: the server reads every digit. */
type Typed<Shape> = { [Key in keyof Shape]?: unknown };

export const create = (body: Typed<Body<"BudgetRequest">>): Change => ({ path: "", method: "POST", body });
export const change = (id: string, body: Typed<Body<"BudgetChange">>): Change => ({
  path: `/${id}`,
  method: "PATCH",
  body,
});
export const remove = (id: string): Change => ({ path: `/${id}`, method: "DELETE" });
export const override = (id: string, limit: string, until: string): Change => ({
  path: `/${id}/override`,
  method: "POST",
  body: { limit_usd: limit, until },
});
export const endOverride = (id: string): Change => ({ path: `/${id}/override`, method: "DELETE" });
