/** Requests: a list by cursors, what is newer than it, one with its bodies, and what people say of it. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { FilterJson } from "../state/filter";
import { call, callTwice, type Sealed, type View } from "./client";

export type RequestRow = View<"RequestView">;
export type OneRequest = View<"OneRequestView">;
export type Receipt = View<"ReceiptView">;
export type Sort = Record<string, "asc" | "desc"> | { properties: Record<string, "asc" | "desc"> };

export interface Page extends Sealed<RequestRow[]> {
  total_rows: number | null;
  has_more: boolean;
  next_cursor: string | null;
}

export interface Question {
  filter: FilterJson;
  sort: Sort;
  timeZone: string;
}

export const NEWEST: Sort = { created_at: "desc" };
export const PAGE_ROWS = 100;
const FRESH_MS = 15_000;

export function isInTime(sort: Sort): boolean {
  return "created_at" in sort;
}

function pageOf(body: object, signal?: AbortSignal): Promise<Page> {
  return call<Page>("/v1/request/query-clickhouse", { method: "POST", body, signal });
}

/** Where a page begins: behind a cursor, or in orders that have none behind so many rows. */
type Place = { cursor: string } | { offset: number };

/** As many rows as were scrolled to: by cursors, so that none is shown twice however much comes in meanwhile. */
export function useRequests({ filter, sort, timeZone }: Question) {
  return useInfiniteQuery({
    queryKey: ["requests", filter, sort, timeZone],
    queryFn: ({ signal, pageParam }) => pageOf({ filter, sort, timeZone, limit: PAGE_ROWS, ...pageParam }, signal),
    initialPageParam: { offset: 0 } as Place,
    getNextPageParam: (last, pages): Place | undefined => {
      if (last.next_cursor !== null) return { cursor: last.next_cursor };
      return last.has_more ? { offset: pages.length * PAGE_ROWS } : undefined;
    },
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
  });
}

const MOST_PAGES = 5; // of one look at what is newer

/** The newest rows that fulfil `filter`, page by page until one of `known` is among them; at most some hundred. */
export async function newestUntil(
  known: ReadonlySet<string>,
  question: Question,
  signal?: AbortSignal,
): Promise<{ rows: RequestRow[]; isCut: boolean; seal: Page["seal"] | undefined }> {
  const rows: RequestRow[] = [];
  let cursor: string | null = null;
  let seal: Page["seal"] | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const body: object = { ...question, sort: NEWEST, limit: PAGE_ROWS, ...(cursor ? { cursor } : {}) };
    const page = await pageOf(body, signal);
    seal ??= page.seal;
    rows.push(...page.data);
    cursor = page.next_cursor;
    if (cursor === null || page.data.some((row) => known.has(keyOf(row)))) return { rows, isCut: false, seal };
  }
  return { rows, isCut: true, seal };
}

/** The request before or behind one in the order of time; undefined where there is none. */
export async function neighbourOf(
  at: { id: string; createdAt: string },
  step: 1 | -1,
  question: Omit<Question, "sort">,
): Promise<string | undefined> {
  const bound = { request_response_rmt: { request_created_at: { [step > 0 ? "lte" : "gte"]: at.createdAt } } };
  const filter = question.filter === "all" ? bound : { left: question.filter, operator: "and", right: bound };
  const page = await pageOf({ ...question, filter, sort: { created_at: step > 0 ? "desc" : "asc" }, limit: 5 });
  const found = page.data.find((row) => row.request_id !== at.id || row.request_created_at !== at.createdAt);
  return found && keyOf(found);
}

/** What names one request, since clients may use an id again: as it stands in the path of its page. */
export function keyOf(row: { request_id: string; request_created_at: string }): string {
  return `${row.request_id}@${row.request_created_at}`;
}

export function parseKey(key: string): { id: string; createdAt: string | undefined } {
  const [id = "", createdAt] = key.split("@");
  return { id, createdAt };
}

/** The address of what the API says of a request. */
export function addressOf(key: string, what = "", parameters: Record<string, string> = {}): string {
  const { id, createdAt } = parseKey(key);
  const asked = new URLSearchParams({ ...parameters, ...(createdAt ? { created_at: createdAt } : {}) }).toString();
  return `/v1/request/${encodeURIComponent(id)}${what}${asked && `?${asked}`}`;
}

/** Amounts with every digit; bodies as the numbers that they hold. */
export function useRequest(key: string) {
  return useQuery({
    queryKey: ["request", key],
    queryFn: async ({ signal }) => {
      const address = addressOf(key, "", { includeBody: "true" });
      const [exact, plain] = await callTwice<{ data: OneRequest }>(address, signal);
      const { request_body, response_body } = plain.data;
      return { ...exact.data, request_body, response_body };
    },
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
  });
}

const DAY_MS = 86_400_000;
const MOST_ATTEMPTS = 300; // Farebox makes fewer

/** The client's request that `row` is of, and its attempts that have rows. A day holds all of them. */
export function useAttempts(row: OneRequest) {
  const callId = row.attempt_of ?? row.request_id;
  return useQuery({
    queryKey: ["attempts", callId, row.request_created_at],
    queryFn: async ({ signal }) => {
      const at = Date.parse(row.request_created_at);
      const times = { gte: new Date(at - DAY_MS).toISOString(), lte: new Date(at + DAY_MS).toISOString() };
      const ids = {
        left: { request_response_rmt: { attempt_of: { equals: callId } } },
        operator: "or",
        right: { request_response_rmt: { request_id: { equals: callId } } },
      };
      const filter = { left: { request_response_rmt: { request_created_at: times } }, operator: "and", right: ids };
      const page = await pageOf({ filter, sort: { created_at: "asc" }, limit: MOST_ATTEMPTS }, signal);
      return page.data;
    },
    staleTime: FRESH_MS,
  });
}

export function useReceipt(key: string) {
  return useQuery({
    queryKey: ["receipt", key],
    // While the next one loads, its key is still that of the one before.
    queryFn: async ({ signal }) => ({ ...(await call<{ data: Receipt }>(addressOf(key, "/cost"), { signal })), key }),
    placeholderData: keepPreviousData,
    staleTime: FRESH_MS,
  });
}

export function rate(key: string, rating: boolean): Promise<unknown> {
  return call(addressOf(key, "/feedback"), { method: "POST", body: { rating } });
}

export function score(key: string, name: string, value: number): Promise<unknown> {
  return call(addressOf(key, "/score"), { method: "POST", body: { scores: { [name]: value } } });
}
