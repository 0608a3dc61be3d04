/** What is newer than a list, while somebody looks at it. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { Seal } from "../../api/client";
import { endSession } from "../../api/queries";
import { keyOf, newestUntil, type Question, type RequestRow } from "../../api/requests";

const EVERY_MS = 3_000;
const MOST_ROWS = 2_000; // that are held beside the list; above it the list begins anew

export interface Tail {
  /** New rows on top of the list, the newest first. */
  rows: readonly RequestRow[];
  /** Those that wait until nobody reads any more. */
  held: readonly RequestRow[];
  /** More came than are looked through: the list has to begin anew. */
  isCut: boolean;
  seal?: Seal | undefined;
  /** Why the last look failed. It is tried again as if it had not. */
  error?: Error | undefined;
}

const NOTHING: Tail = { rows: [], held: [], isCut: false };

/** `found`, newest first, without those that are known. */
export function unknownOf(found: readonly RequestRow[], known: ReadonlySet<string>): RequestRow[] {
  return found.filter((row) => !known.has(keyOf(row)));
}

/** Both, the newest first. A request appears when it has ended, so one that came late may stand among others. */
export function merged(newer: readonly RequestRow[], older: readonly RequestRow[]): RequestRow[] {
  if (!newer.length) return [...older];
  return [...newer, ...older].sort((left, right) =>
    left.request_created_at < right.request_created_at
      ? 1
      : left.request_created_at > right.request_created_at
        ? -1
        : 0,
  );
}

interface Options {
  question: Question;
  base: readonly RequestRow[];
  isOn: boolean;
  /** Somebody reads further below: nothing may move. */
  isReading: boolean;
}

/**
 * Looks every few seconds while it is on and the page is in sight, at a few pages at most. While somebody reads, what
 * is new is held back and counted.
 */
export function useTail({ question, base, isOn, isReading }: Options): Tail & { release: () => void } {
  const asked = JSON.stringify(question);
  const client = useQueryClient();
  const [tail, setTail] = useState<Tail>(NOTHING);
  const current = useRef({ tail, base, isReading });
  current.current = { tail, base, isReading };

  // biome-ignore lint/correctness/useExhaustiveDependencies: another question begins anew
  useEffect(() => setTail(NOTHING), [asked, isOn]);

  useEffect(() => {
    if (!isOn) return;
    const ended = new AbortController();
    let timer: number | undefined;
    const look = async () => {
      const { tail, base } = current.current;
      const known = new Set([...base, ...tail.rows, ...tail.held].map(keyOf));
      const found = await newestUntil(known, JSON.parse(asked) as Question, ended.signal).catch(
        (error: Error) => error,
      );
      if (ended.signal.aborted) return;
      // Somebody may have begun to read since the look began.
      const { isReading } = current.current;
      if (found instanceof Error) {
        endSession(client, found);
        setTail((old) => ({ ...old, error: found }));
      } else setTail((old) => grown(old, unknownOf(found.rows, known), found.isCut, isReading, found.seal));
      plan();
    };
    const plan = () => {
      window.clearTimeout(timer);
      if (!document.hidden) timer = window.setTimeout(() => void look(), EVERY_MS);
    };
    document.addEventListener("visibilitychange", plan);
    plan();
    return () => {
      ended.abort();
      window.clearTimeout(timer);
      document.removeEventListener("visibilitychange", plan);
    };
  }, [asked, isOn, client]);

  const release = () => setTail((old) => ({ ...old, rows: merged(old.held, old.rows), held: [] }));
  return { ...tail, release };
}

export function grown(old: Tail, fresh: readonly RequestRow[], isCut: boolean, isReading: boolean, seal?: Seal): Tail {
  const next = { ...old, seal: seal ?? old.seal, error: undefined };
  if (isCut || old.rows.length + old.held.length + fresh.length > MOST_ROWS) return { ...next, isCut: true };
  if (!fresh.length) return next;
  if (isReading) return { ...next, held: merged(fresh, old.held) };
  return { ...next, rows: merged(merged(fresh, old.held), old.rows), held: [] };
}

/** A period that ends behind the newest of `rows` too: some may have come since its end was asked for. */
export function periodWith<Period extends { start: string; end: string }>(period: Period, rows: readonly RequestRow[]) {
  const newest = Date.parse(rows[0]?.request_created_at ?? "");
  return newest >= Date.parse(period.end) ? { ...period, end: new Date(newest + 1).toISOString() } : period;
}
