/** What the pages ask, as TanStack queries: a question that is superseded is cancelled. */
import { keepPreviousData, type QueryClient, useQuery } from "@tanstack/react-query";
import { rememberList } from "../state/listed";
import { keepTyped } from "../state/typed";
import { ApiError, type Body, call, type Sealed, type View } from "./client";

export type ReportBody = Body<"ReportRequest">;
export type Report = View<"ReportView"> & { breakdowns: View<"GroupingView">[] };
export type Grouping = View<"GroupingView">;
export type ReportRow = View<"ComparedRow">;
export type Changes = View<"ChangesView">;
export type Anomalies = View<"AnomaliesView">;
export type Unknown = View<"UnknownModels">;

export interface SignedIn {
  name: string;
  hint: string;
  permission: "admin" | "rw" | "r" | "w";
  /** Where clients reach the proxy; empty where the server does not know it. */
  proxy_url: string;
  /** How many stand how, when the session was asked for. */
  alerts: View<"AlertStatesView">;
}

const SESSION = "/dashboard/session";
const FRESH_MS = 15_000;

export function useSession() {
  return useQuery({
    queryKey: ["session"],
    queryFn: ({ signal }) => call<{ data: SignedIn | null }>(SESSION, { signal }).then(({ data }) => data),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export async function signIn(key: string): Promise<SignedIn> {
  const { data } = await call<{ data: SignedIn }>(SESSION, { method: "POST", body: { key } });
  keepTyped(key);
  return data;
}

export function signOut(): Promise<unknown> {
  keepTyped("");
  return call(SESSION, { method: "DELETE" });
}

/** Removes all that one key was answered: the next one may be another organization's. */
export function forgetAnswers(client: QueryClient): void {
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
  rememberList([]);
}

/** How a report is kept up to date. Whoever waits for the first request sees it at once where it is asked eagerly. */
export type Live = "not" | "steadily" | "eagerly";

export function useReport(body: ReportBody, { live = "not", enabled = true }: { live?: Live; enabled?: boolean } = {}) {
  return useQuery({
    queryKey: ["report", body],
    queryFn: ({ signal }) => call<Sealed<Report>>("/v1/report", { method: "POST", body, signal }),
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
    enabled,
    refetchInterval: ({ state }) => live !== "not" && (live === "eagerly" && isEmpty(state.data) ? 3_000 : 30_000),
  });
}

type Answer = ReturnType<typeof useReport>;

function isEmpty(report: Sealed<Report> | undefined): boolean {
  return Number(report?.data.total["attempts"] ?? 1) === 0;
}

/** Whether what stands first is there: what is asked for beside it would make both wait on a server of two cores. */
export function isAnswered(report: Pick<Answer, "isError" | "isSuccess" | "isPlaceholderData">) {
  return report.isError || (report.isSuccess && !report.isPlaceholderData);
}

/** What `compared` says of the period before, unless that is older than what `report` says. */
export function comparedIn(report: Answer, compared: Answer): Report | undefined {
  return compared.isPlaceholderData && !report.isPlaceholderData ? undefined : compared.data?.data;
}

export function useChanges(body: Body<"ChangesRequest">, enabled: boolean) {
  return useQuery({
    queryKey: ["changes", body],
    queryFn: ({ signal }) => call<Sealed<Changes>>("/v1/report/changes", { method: "POST", body, signal }),
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
    enabled,
  });
}

export function useAnomalies(body: Body<"AnomaliesRequest">, enabled = true) {
  return useQuery({
    queryKey: ["anomalies", body],
    queryFn: ({ signal }) => call<Sealed<Anomalies>>("/v1/report/anomalies", { method: "POST", body, signal }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    enabled,
  });
}

/** What has no price since then: a span such as 24h, or a date of the zone. */
export function useUnknown(since: string, zone: string, enabled = true) {
  return useQuery({
    queryKey: ["unknown", since, zone],
    queryFn: ({ signal }) =>
      call<Sealed<Unknown>>(`/v1/prices/unknown?${new URLSearchParams({ since, time_zone: zone })}`, { signal }),
    staleTime: FRESH_MS,
    enabled,
  });
}

export function useProperties(enabled = true) {
  return useQuery({
    queryKey: ["properties"],
    queryFn: ({ signal }) =>
      call<Sealed<{ property: string }[]>>("/v1/property/query", { method: "POST", body: {}, signal }),
    staleTime: 60_000,
    enabled,
  });
}

/** Values of a column or `@property` that occur, those that cost most first. */
export function useValues(name: string | undefined) {
  return useQuery({
    queryKey: ["values", name],
    queryFn: ({ signal }) =>
      call<Sealed<Report>>("/v1/report", {
        method: "POST",
        body: {
          measures: ["cost_usd"],
          by: [groupingOf(name ?? "")],
          timeFilter: { since: "90d" },
          limit: 200,
          orderBy: { measure: "cost_usd" },
        },
        signal,
      }),
    enabled: name !== undefined,
    staleTime: 60_000,
  });
}

export function groupingOf(name: string): { property: string } | { column: string } {
  return name.startsWith("@") ? { property: name.slice(1) } : { column: name };
}

export function isSignedOut(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** Where the key was revoked, or the session has expired, the page asks for a key again. */
export function endSession(client: QueryClient, error: unknown): void {
  if (isSignedOut(error)) client.setQueryData(["session"], null);
}
