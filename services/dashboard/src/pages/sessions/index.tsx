/** What completing a task costs: by the name of its sessions, step by step, and single sessions. */
import { type Grouping, type Report, type ReportRow, useReport } from "../../api/queries";
import { useDistribution } from "../../api/sessions";
import { compactCount, count, exactMoney, milliseconds, money } from "../../format/format";
import { absolute, relative } from "../../format/time";
import { answeredPeriod, usePublish } from "../../frame/published";
import type { Chip } from "../../state/search";
import { nextSorting, parseSorting, type Sorting, sorted, sortingText, useOwnSearch } from "../../state/sorting";
import { currentMinute, useDrill, useView } from "../../state/view";
import { Ledger, type LedgerColumn, LedgerSkeleton } from "../../ui/Ledger";
import { NothingFound } from "../../ui/NothingFound";
import { Cost, ErrorNote, LinkButton } from "../../ui/ui";
import { duration } from "../session/waterfall";
import { DistributionCard, NamesCard, StepsCard } from "./cards";
import {
  distributionQuestion,
  MOST_SESSIONS,
  namesQuestion,
  SESSION_MEASURES,
  STANDARD,
  sessionsQuestion,
} from "./questions";
import css from "./sessions.module.css";

const TEXTS = ["session", "name"];

export default function Sessions() {
  const view = useView();
  const [own, changeOwn] = useOwnSearch();
  const sorting = parseSorting(own["sorted"], [...SESSION_MEASURES, ...TEXTS], STANDARD);
  const question = sessionsQuestion(view, sorting);
  const names = useReport(namesQuestion(view));
  const sessions = useReport(question);
  const distribution = useDistribution(distributionQuestion(view));
  const data = sessions.data?.data;
  const total = names.data?.data.total;
  usePublish({
    seal: sessions.data?.seal,
    period: answeredPeriod(sessions),
    exported: { path: "/v1/report", body: question, name: "farebox-sessions" },
  });
  return (
    <>
      <header className={css["head"]}>
        <h1>Sessions</h1>
        {total && (
          <span className={css["soft"]} data-count>
            {count(total["sessions"])} in this range, which cost{" "}
            <span title={exactMoney(total["cost_usd"])}>{money(total["cost_usd"])}</span>
          </span>
        )}
      </header>
      {data?.rows.length === 0 ? (
        <NothingFound what="session" />
      ) : (
        <>
          <NamesCard answer={names} isStale={names.isPlaceholderData} />
          <div className={css["cards"]}>
            <DistributionCard answer={distribution} isStale={distribution.isPlaceholderData} />
            <StepsCard
              answer={{ ...names, data: names.data?.data.breakdowns[0] as Grouping | undefined }}
              isStale={names.isPlaceholderData}
            />
          </div>
          {sessions.error ? (
            <ErrorNote error={sessions.error} retry={sessions.refetch} />
          ) : data ? (
            <List
              {...{ data, sorting }}
              isStale={sessions.isPlaceholderData}
              onSort={(column) => {
                const next = sortingText(nextSorting(sorting, column, TEXTS.includes(column)));
                changeOwn({ sorted: next === sortingText(STANDARD) ? undefined : next });
              }}
            />
          ) : (
            <LedgerSkeleton />
          )}
        </>
      )}
    </>
  );
}

interface ListProps {
  data: Report;
  sorting: Sorting;
  isStale: boolean;
  onSort: (column: string) => void;
}

const text = (value: unknown): string | undefined =>
  value === null || value === undefined || value === "" ? undefined : String(value);

function List({ data, sorting, isStale, onSort }: ListProps) {
  const { zone } = useView();
  const drill = useDrill();
  const now = currentMinute();
  const onOpen = ({ by: [id, name] }: ReportRow) => {
    const named: Chip[] = text(name) ? [["session_name", "equals", text(name) ?? null]] : [];
    drill("session_id", text(id) ?? null, named);
  };
  const rows = data.rows as ReportRow[];
  const at = TEXTS.indexOf(sorting.column);
  const shown = at >= 0 ? sorted(rows, ({ by }) => text(by[at]), sorting.direction) : rows;
  const sums = (figures: Report["total"]) => ({
    cost_usd: <Cost value={figures["cost_usd"]} unpriced={figures["unpriced_requests"]} />,
    requests: count(figures["requests"]),
    total_tokens: figures["total_tokens"] === null ? "–" : compactCount(figures["total_tokens"]),
    errors: count(figures["errors"]),
  });
  return (
    <Ledger
      label="Sessions"
      columns={columnsOf(zone, now, onOpen)}
      rows={shown}
      keyOf={({ by }) => JSON.stringify(by)}
      feet={[
        ...(data.rest
          ? [{ key: "rest", title: `All beyond these ${count(MOST_SESSIONS)}`, cells: sums(data.rest) }]
          : []),
        { key: "total", title: "Total", cells: sums(data.total) },
      ]}
      {...{ sorting, onSort, onOpen, isStale }}
    />
  );
}

function columnsOf(zone: string, now: number, onOpen: (row: ReportRow) => void): LedgerColumn<ReportRow>[] {
  const time = (id: string, title: string): LedgerColumn<ReportRow> => ({
    id,
    title,
    width: 130,
    isFigure: true,
    show: ({ measures }) => (
      <time dateTime={String(measures[id])} title={`${absolute(String(measures[id]), zone)} (${zone})`}>
        {relative(String(measures[id]), now, zone)}
      </time>
    ),
  });
  return [
    {
      id: "session",
      title: "session",
      width: 250,
      show: (row) => (
        <LinkButton onClick={() => onOpen(row)} title={text(row.by[0])}>
          {text(row.by[0]) ?? "(no session)"}
        </LinkButton>
      ),
    },
    { id: "name", title: "name", width: 170, show: ({ by }) => <span>{text(by[1]) ?? "–"}</span> },
    {
      id: "cost_usd",
      title: "cost",
      width: 110,
      isFigure: true,
      show: ({ measures }) => <Cost value={measures["cost_usd"]} unpriced={measures["unpriced_requests"]} />,
    },
    {
      id: "requests",
      title: "steps",
      hint: "Requests",
      width: 80,
      isFigure: true,
      show: ({ measures }) => count(measures["requests"]),
    },
    {
      id: "total_tokens",
      title: "tokens",
      width: 90,
      isFigure: true,
      show: ({ measures }) => (measures["total_tokens"] === null ? "–" : compactCount(measures["total_tokens"])),
    },
    {
      id: "average_latency_ms",
      title: "avg latency",
      hint: "Of a request",
      width: 100,
      isFigure: true,
      show: ({ measures }) => milliseconds(measures["average_latency_ms"]),
    },
    { id: "errors", title: "errors", width: 80, isFigure: true, show: ({ measures }) => count(measures["errors"]) },
    time("first_request_at", "started"),
    {
      id: "length",
      title: "took",
      hint: "From the first request to the last",
      width: 90,
      isFigure: true,
      canSort: false,
      show: ({ measures }) =>
        duration(Date.parse(String(measures["last_request_at"])) - Date.parse(String(measures["first_request_at"]))),
    },
  ];
}
