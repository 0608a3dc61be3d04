/** Every request of the range, as many as there are: only the rows in sight are drawn. */

import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Seal } from "../../api/client";
import { type ReportBody, useReport } from "../../api/queries";
import { isInTime, keyOf, type RequestRow, useRequests } from "../../api/requests";
import { count } from "../../format/format";
import { absolute } from "../../format/time";
import { answeredPeriod, usePublish } from "../../frame/published";
import { type FilterJson, filterOf } from "../../state/filter";
import { rememberList } from "../../state/listed";
import { isRunning } from "../../state/range";
import { rangeCondition } from "../../state/rangeCondition";
import { currentMinute, useChange, useView } from "../../state/view";
import { Button, ErrorNote } from "../../ui/ui";
import { ColumnMenu } from "./ColumnMenu";
import { columnOf, orderingOf, SHOWN, sortOf } from "./columns";
import { JumpMenu } from "./JumpMenu";
import { NoRows } from "./NoRows";
import css from "./requests.module.css";
import { Table } from "./Table";
import { merged, periodWith, unknownOf, useTail } from "./tail";

const MOST_ROWS = 10_000; // that are kept at once; the list goes on from there

export function Requests() {
  const view = useView();
  const { search, zone } = view;
  const navigate = useNavigate();
  const change = useChange();
  const client = useQueryClient();
  const ordering = orderingOf(search.sort);
  const sort = sortOf(ordering);
  const begin: FilterJson = search.at ? { request_response_rmt: { request_created_at: { lte: search.at } } } : "all";
  const filter = filterOf(search.filter, rangeCondition(view), begin);
  const answer = useRequests({ filter, sort, timeZone: zone });
  const isNewestFirst = isInTime(sort) && ordering.isDescending;
  const mayFollow = isNewestFirst && !search.at && isRunning(view.timeFilter, currentMinute());
  const [isReading, setReading] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  const base = useMemo(() => answer.data?.pages.flatMap((page) => page.data) ?? [], [answer.data]);
  const tail = useTail({
    question: { filter, sort, timeZone: zone },
    base,
    isOn: Boolean(search.live) && mayFollow && answer.isSuccess && !answer.isPlaceholderData,
    isReading,
  });
  const rows = useMemo<RequestRow[]>(
    () => (tail.rows.length ? merged(unknownOf(tail.rows, new Set(base.map(keyOf))), base) : base),
    [tail.rows, base],
  );
  const first = answer.data?.pages[0];
  const total =
    first?.total_rows === null || !first ? first?.total_rows : Number(first.total_rows) + rows.length - base.length;
  const asked = { filter: filterOf(search.filter, begin), timeFilter: view.timeFilter, timeZone: zone };
  const whole = useReport({ measures: ["requests"], ...asked } as ReportBody, {
    enabled: answer.isSuccess && !answer.isPlaceholderData,
  });
  const rowsSeal = tail.seal ?? first?.seal;
  const seal = useMemo(() => rowsSeal && sealOf(rowsSeal, whole.data?.seal), [rowsSeal, whole.data]);
  const period = answeredPeriod(whole);
  usePublish({
    seal,
    period: period && periodWith(period, tail.rows),
    exported: { path: "/v1/export", body: { filter, timeZone: zone }, name: "farebox-requests" },
  });

  const columns = useMemo(() => (search.columns ?? SHOWN).flatMap((id) => columnOf(id) ?? []), [search.columns]);

  useEffect(() => rememberList(rows.map(keyOf)), [rows]);
  const restart = () => void client.resetQueries({ queryKey: ["requests", filter, sort, zone] });
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when more came than was looked through
  useEffect(() => {
    if (tail.isCut) restart();
  }, [tail.isCut]);

  function toTop() {
    box.current?.scrollTo({ top: 0 });
    tail.release();
  }

  const open = (row: RequestRow) =>
    void navigate({ to: "/requests/$requestId", params: { requestId: keyOf(row) }, search: (old) => old });
  const isFull = base.length >= MOST_ROWS && Boolean(answer.hasNextPage);
  const isEmpty = answer.isSuccess && rows.length === 0;

  return (
    <>
      <div className={css["head"]}>
        <h1>Requests</h1>
        <span className={css["soft"]} data-count>
          {total === undefined ? " " : `${total === null ? "many" : count(total)} in this range`}
        </span>
        {search.at && (
          <span className={css["from"]}>
            from {absolute(search.at, zone)} back
            <button type="button" aria-label="Back to the newest" onClick={() => change({ at: undefined })}>
              ×
            </button>
          </span>
        )}
        <span className={css["tools"]}>
          <Button
            aria-pressed={Boolean(search.live) && mayFollow}
            disabled={!mayFollow}
            title={
              mayFollow ? "New requests appear by themselves" : "Follows the newest first, in a range without an end"
            }
            onClick={() => change({ live: search.live ? undefined : true })}
          >
            <i className={css["dot"]} data-on={search.live && mayFollow && !tail.error ? "" : undefined} /> Live
          </Button>
          <JumpMenu />
          <Button onClick={restart}>Refresh</Button>
          <ColumnMenu />
        </span>
      </div>
      {tail.error && <ErrorNote error={tail.error} retry={restart} />}
      {answer.error && !base.length ? (
        <div className={css["frame"]}>
          <ErrorNote error={answer.error} retry={answer.refetch} />
        </div>
      ) : (
        <div className={css["frame"]}>
          {tail.held.length > 0 && (
            <Button kind="primary" className={css["news"]} onClick={toTop}>
              ↑ {count(tail.held.length)} new
            </Button>
          )}
          {isEmpty ? (
            <NoRows />
          ) : (
            <Table
              box={box}
              rows={rows}
              columns={columns}
              total={total ?? undefined}
              ordering={ordering}
              fresh={tail.rows}
              isPending={answer.isPending}
              isStale={answer.isPlaceholderData}
              onOpen={open}
              onScroll={(top) => {
                setReading(top > 0);
                if (top === 0 && tail.held.length) tail.release();
              }}
              onEnd={() => {
                if (answer.hasNextPage && !answer.isFetching && !isFull && !answer.error) void answer.fetchNextPage();
              }}
            >
              {answer.isFetchingNextPage && <div className={css["more"]}>Loading more…</div>}
              {answer.error && <ErrorNote error={answer.error} retry={answer.fetchNextPage} />}
              {isFull && (
                <div className={css["more"]}>
                  {count(base.length)} rows are loaded.{" "}
                  {isNewestFirst ? (
                    <Button onClick={() => change({ at: base.at(-1)?.request_created_at })}>
                      Go on from {absolute(base.at(-1)?.request_created_at ?? "", zone)}
                    </Button>
                  ) : (
                    "A filter or a shorter range shows the others."
                  )}
                </div>
              )}
            </Table>
          )}
        </div>
      )}
    </>
  );
}

/** How far the rows are complete, and how much is priced of all that there are: a list knows only that of its rows. */
export function sealOf(rows: Seal, whole: Seal | undefined): Seal {
  const { priced_request_share = null, priced_token_share = null } = whole ?? {};
  return { ...rows, priced_request_share, priced_token_share };
}
