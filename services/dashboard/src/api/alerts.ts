/** Alerts: how they stand, why they are silent, when they would have fired, and what an admin key changes. */
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiError, type Body, call, callTwice, type View } from "./client";
import { useSession } from "./queries";

export type Alert = View<"AlertView">;
export type AlertDetail = View<"AlertDetailView">;
export type AlertState = Alert["state"];
export type Alerts = View<"AlertsView">;
export type AlertHistory = View<"AlertHistoryView">;
export type Backtest = View<"BacktestView">;
export type Delivery = View<"DeliveryView">;
export type Episode = View<"EpisodeView">;
export type Evaluation = View<"EvaluationView">;
export type Explanation = View<"ExplainView">;
export type AlertBody = Body<"AlertRequest">;
export type BacktestBody = Body<"BacktestRequest">;

const PATH = "/v1/alert";
const FRESH_MS = 15_000;
const MINUTE_MS = 60_000; // of the evaluator
const MOST_EVALUATIONS = 1500;

/** How many alerts stand how, for the mark beside the page's name: as the session said, and then each minute. */
export function useAlertStates() {
  const session = useSession();
  return useQuery({
    queryKey: ["alerts", "states"],
    queryFn: ({ signal }) =>
      call<{ data: View<"AlertStatesView"> }>(`${PATH}/states`, { signal }).then(({ data }) => data),
    initialData: session.data?.alerts,
    initialDataUpdatedAt: session.dataUpdatedAt,
    staleTime: FRESH_MS,
    refetchInterval: MINUTE_MS,
  });
}

export function useAlerts() {
  return useQuery({
    queryKey: ["alerts", "list"],
    queryFn: ({ signal }) => call<{ data: Alerts }>(`${PATH}/query`, { signal }).then(({ data }) => data),
    staleTime: FRESH_MS,
    refetchInterval: MINUTE_MS / 2,
  });
}

function useOf<Shown>(id: string, part: string) {
  return useQuery({
    queryKey: ["alerts", "one", id, part],
    queryFn: ({ signal }) => call<{ data: Shown }>(`${PATH}/${id}${part}`, { signal }).then(({ data }) => data),
    staleTime: FRESH_MS,
    refetchInterval: ({ state }) => (state.error ? false : MINUTE_MS / 2),
  });
}

/** Its filter goes back to the server, to which a number is no text. */
export function useAlert(id: string) {
  return useQuery({
    queryKey: ["alerts", "one", id],
    queryFn: async ({ signal }) => {
      const [exact, plain] = await callTwice<{ data: AlertDetail }>(`${PATH}/${id}`, signal);
      return { ...exact.data, filter: plain.data.filter };
    },
    staleTime: FRESH_MS,
    refetchInterval: ({ state }) => (state.error ? false : MINUTE_MS / 2),
  });
}

export const useAlertHistory = (id: string) => useOf<AlertHistory>(id, "/history?limit=1");
export const useEvaluations = (id: string) => useOf<AlertHistory>(id, `/history?limit=${MOST_EVALUATIONS}`);
export const useExplanation = (id: string) => useOf<Explanation>(id, "/explain");
export const useNotices = (id: string) => useOf<Delivery[]>(id, "/notices");

/** A back-test is dear: one that is superseded is cancelled, and the same one is not asked for twice. */
export function useBacktest(body: BacktestBody | undefined) {
  return useQuery<Backtest>({
    queryKey: ["backtest", body],
    queryFn: ({ signal }) =>
      call<{ data: Backtest }>(`${PATH}/backtest`, { method: "POST", body, signal }).then(({ data }) => data),
    enabled: body !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 5 * MINUTE_MS,
    // An organization tries one rule at a time, and is busy where too many wait.
    retry: (failures, error) => failures < 4 && error instanceof ApiError && [0, 503].includes(error.status),
  });
}

export interface AlertChange {
  path: string;
  method: "POST" | "PUT" | "DELETE";
  body?: unknown;
}

/** Changes an alert, after which all that is known of alerts is asked for again. */
export function useAlertChange<Answer>() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ path, ...options }: AlertChange) =>
      call<{ data: Answer }>(PATH + path, options).then(({ data }) => data),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["alerts"] });
      void client.invalidateQueries({ queryKey: ["channels"] }); // one is made for each new address
    },
  });
}

export const create = (body: AlertBody): AlertChange => ({ path: "/create", method: "POST", body });
export const replace = (id: string, body: AlertBody): AlertChange => ({ path: `/${id}`, method: "PUT", body });
export const mute = (id: string, until: string | null): AlertChange => ({
  path: `/${id}/mute`,
  method: "POST",
  body: { until },
});
export const remove = (id: string): AlertChange => ({ path: `/${id}`, method: "DELETE" });
