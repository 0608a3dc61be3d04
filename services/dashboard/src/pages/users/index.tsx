/** Every user: what they cost, how much they are active, how well they are served. */
import { useEffect, useMemo, useState } from "react";
import { type Report, type ReportRow, useReport } from "../../api/queries";
import { count, exactMoney, money } from "../../format/format";
import { answeredPeriod, usePublish } from "../../frame/published";
import type { Chip } from "../../state/search";
import { nextSorting, parseSorting, type Sorting, sorted, sortingText, useOwnSearch } from "../../state/sorting";
import { currentMinute, useChange, useDrill, useView } from "../../state/view";
import { type Foot, Ledger, LedgerSkeleton } from "../../ui/Ledger";
import { NothingFound } from "../../ui/NothingFound";
import { classes, ErrorNote } from "../../ui/ui";
import { columnsOf, shownFigure, userOf } from "./columns";
import {
  MOST_USERS,
  parseOver,
  STANDARD,
  tiersOfUsersQuestion,
  tiersQuestion,
  USER_MEASURES,
  usersQuestion,
} from "./questions";
import { TiersCard } from "./TiersCard";
import { tiersByUser } from "./tiers";
import css from "./users.module.css";

const TEXTS = ["user", "tier"];
const ADDED_UP = ["cost_usd", "requests", "total_tokens", "errors", "value_usd", "margin_usd"];

export default function Users() {
  const view = useView();
  const [own, changeOwn] = useOwnSearch();
  const sorting = parseSorting(own["sorted"], [...USER_MEASURES, "change", ...TEXTS], STANDARD);
  const over = parseOver(own["over"]);
  const question = usersQuestion(view, sorting, over);
  const users = useReport(question);
  const tiers = useReport(tiersQuestion(view));
  const ofUsers = useReport(tiersOfUsersQuestion(view));
  const data = users.data?.data;
  usePublish({
    seal: users.data?.seal,
    period: answeredPeriod(users),
    exported: { path: "/v1/report", body: question, name: "farebox-users" },
  });
  const byUser = useMemo(() => tiersByUser((ofUsers.data?.data.rows ?? []) as ReportRow[]), [ofUsers.data]);
  const hasTiers = tiers.data?.data.rows.some(({ by }) => by[0] !== null && by[0] !== undefined) ?? true;
  return (
    <>
      <header className={css["head"]}>
        <h1>Users</h1>
        {data && (
          <span className={css["soft"]} data-count>
            {count(data.total["active_users"])} in this range, who cost{" "}
            <span title={exactMoney(data.total["cost_usd"])}>{money(data.total["cost_usd"])}</span>
            {over && ` · ${count(data.rows.length)} of them ${money(over)} or more`}
          </span>
        )}
        <Search />
        <Over over={over} onChange={(next) => changeOwn({ over: next && Number(next) })} />
      </header>
      {hasTiers && <TiersCard answer={tiers} isStale={tiers.isPlaceholderData} />}
      {users.error ? (
        <ErrorNote error={users.error} retry={users.refetch} />
      ) : !data ? (
        <LedgerSkeleton />
      ) : data.rows.length === 0 ? (
        <NothingFound
          what="user"
          {...(over ? { also: [[`Without ${money(over)} or more`, () => changeOwn({ over: undefined })]] } : {})}
        />
      ) : (
        <List
          data={data}
          isStale={users.isPlaceholderData}
          sorting={sorting}
          tiersOf={(row) => byUser.get(userOf(row) ?? "") ?? []}
          onSort={(column) => {
            const next = sortingText(nextSorting(sorting, column, TEXTS.includes(column)));
            changeOwn({ sorted: next === sortingText(STANDARD) ? undefined : next });
          }}
        />
      )}
    </>
  );
}

interface ListProps {
  data: Report;
  isStale: boolean;
  sorting: Sorting;
  tiersOf: (row: ReportRow) => readonly string[];
  onSort: (column: string) => void;
}

function List({ data, isStale, sorting, tiersOf, onSort }: ListProps) {
  const view = useView();
  const drill = useDrill();
  const now = currentMinute();
  const onOpen = (row: ReportRow) => drill("user_id", userOf(row));
  const hasValue = data.total["value_usd"] !== null && data.total["value_usd"] !== undefined;
  const columns = columnsOf({
    zone: view.zone,
    now,
    total: data.total,
    isCompared: view.compare !== "none",
    hasValue,
    tiersOf,
    onOpen,
  });
  const rows = data.rows as ReportRow[];
  const shown = TEXTS.includes(sorting.column)
    ? sorted(
        rows,
        (row) => (sorting.column === "tier" ? tiersOf(row)[0] : (userOf(row) ?? undefined)),
        sorting.direction,
      )
    : rows;
  return (
    <Ledger
      label="Users"
      columns={columns}
      rows={shown}
      keyOf={(row) => userOf(row) ?? ""}
      feet={feetOf(
        data,
        columns.map(({ id }) => id),
        view.zone,
        now,
      )}
      {...{ sorting, onSort, onOpen, isStale }}
    />
  );
}

function feetOf(data: Report, ids: readonly string[], zone: string, now: number): Foot[] {
  const cells = (figures: Report["total"], known: readonly string[]) =>
    Object.fromEntries(known.map((id) => [id, shownFigure(id, figures, zone, now)]));
  const figures = ids.filter((id) => USER_MEASURES.includes(id));
  const total = { key: "total", title: "Total", cells: cells(data.total, figures) };
  if (!data.rest) return [total];
  const title = data.truncated ? `All beyond these ${count(MOST_USERS)}` : "All others";
  return [
    {
      key: "rest",
      title,
      cells: cells(
        data.rest,
        ADDED_UP.filter((id) => ids.includes(id)),
      ),
    },
    total,
  ];
}

const WAIT_MS = 250;

/** Part of an id, as a chip. */
function Search() {
  const { search } = useView();
  const change = useChange();
  const isMine = ([name, operator]: Chip) => name === "user_id" && operator === "contains";
  const given = search.filter?.find(isMine)?.[2] ?? "";
  const [text, setText] = useState(given);
  useEffect(() => setText(given), [given]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is typed is sent once nothing more is typed
  useEffect(() => {
    if (text === given) return;
    const others = (search.filter ?? []).filter((chip) => !isMine(chip));
    const next: Chip[] = text ? [...others, ["user_id", "contains", text]] : others;
    const timer = window.setTimeout(() => change({ filter: next.length ? next : undefined }), WAIT_MS);
    return () => window.clearTimeout(timer);
  }, [text]);
  return (
    <input
      className={classes(css["field"], css["search"])}
      type="search"
      aria-label="Find a user"
      placeholder="Find a user"
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

function Over({ over, onChange }: { over: string | undefined; onChange: (over: string | undefined) => void }) {
  const [text, setText] = useState(over ?? "");
  useEffect(() => setText(over ?? ""), [over]);
  return (
    <form
      className={css["over"]}
      onSubmit={(event) => {
        event.preventDefault();
        onChange(parseOver(text));
      }}
    >
      <label>
        Spent at least $
        <input
          className={css["field"]}
          inputMode="decimal"
          placeholder="any"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onBlur={() => onChange(parseOver(text))}
        />
      </label>
    </form>
  );
}
