/** One session: what completing the task cost, step by step, and whether that is usual. */
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { type Grouping, type Report, useReport } from "../../api/queries";
import type { RequestRow } from "../../api/requests";
import { MOST_STEPS, type SessionTree, useDistribution, useSessionTree, useSteps } from "../../api/sessions";
import { digitsOf } from "../../format/decimal";
import { compactCount, count, exactMoney, type Maybe, money, pluralize } from "../../format/format";
import { absolute, relative } from "../../format/time";
import { answeredPeriod, usePublish } from "../../frame/published";
import { chipsAt } from "../../state/drill";
import { filterOf } from "../../state/filter";
import type { Search } from "../../state/search";
import { useSubject } from "../../state/subject";
import { currentMinute, useView, type ViewState } from "../../state/view";
import { Facts } from "../../ui/Facts";
import { useRowKeys } from "../../ui/Ledger";
import { Button, Card, Cost, Empty, ErrorNote, Loaded, Skeleton, Tag } from "../../ui/ui";
import { Histogram } from "../sessions/Histogram";
import { RANK_DAYS, rankQuestion, sessionQuestion, stepsFilter } from "./questions";
import { rankText } from "./rank";
import css from "./session.module.css";
import { Waterfall } from "./Waterfall";
import { duration, linesOf } from "./waterfall";

const FEEDBACK = "Helicone-Session-Feedback";
const TAG = "Helicone-Session-Tag";

export default function Session() {
  const { sessionId } = useParams({ strict: false }) as { sessionId: string };
  const base = useView();
  const chips = chipsAt(base.search.filter, "session_id", sessionId);
  const view: ViewState = { ...base, filter: filterOf(chips) };
  const question = sessionQuestion(view);
  const report = useReport(question);
  const whole = useSessionTree(sessionId);
  const data = report.data?.data;
  useSubject("session_id", sessionId);
  usePublish({ seal: report.data?.seal, period: answeredPeriod(report) });
  const steps = useSteps(stepsFilter(chips, periodOf(view)), view.zone);
  const isEmpty = data !== undefined && Number(data.total["attempts"]) === 0;
  return (
    <>
      <Heading {...{ sessionId, view, data }} whole={whole.data?.data} rows={steps.data?.data ?? []} />
      {data && whole.data && <Outside data={data} whole={whole.data.data} sessionId={sessionId} />}
      {report.error ? (
        <ErrorNote error={report.error} retry={report.refetch} />
      ) : isEmpty ? (
        whole.error ? (
          <ErrorNote error={whole.error} retry={whole.refetch} />
        ) : null
      ) : (
        <>
          {data ? <SessionFacts data={data} zone={view.zone} /> : <Skeleton height={74} />}
          <StepsCard answer={steps} total={data?.total} />
          {whole.data && <RankCard whole={whole.data.data} zone={view.zone} />}
        </>
      )}
    </>
  );
}

/** The range of the page with both ends, since a list has no range of its own. */
function periodOf({ timeFilter }: ViewState): { start: string; end: string } {
  const end = timeFilter.end ?? new Date(currentMinute() + 120_000).toISOString();
  const start = timeFilter.start ?? new Date(currentMinute() - 86_400_000).toISOString();
  return { start, end };
}

interface HeadingProps {
  sessionId: string;
  view: ViewState;
  data: Report | undefined;
  whole: SessionTree | undefined;
  rows: readonly RequestRow[];
}

function Heading({ sessionId, view, data, whole, rows }: HeadingProps) {
  const users = ((data?.breakdowns[0] as Grouping | undefined)?.rows ?? []).flatMap(({ by }) =>
    by[0] ? [String(by[0])] : [],
  );
  const named = (name: string) => rows.findLast((row) => row.request_properties[name])?.request_properties[name];
  const [feedback, tag] = [named(FEEDBACK), named(TAG)];
  return (
    <header className={css["head"]}>
      <h1>
        {data ? <Cost value={data.total["cost_usd"]} unpriced={data.total["unpriced_requests"]} isLong /> : "\u00a0"}
      </h1>
      <div className={css["who"]}>
        {whole?.session_names.filter(Boolean).map((name) => (
          <b key={name}>{name}</b>
        ))}
        <code>{sessionId}</code>
        {tag && <Tag>{tag}</Tag>}
        {feedback && (
          <Tag kind={/^(true|1|good|positive)$/i.test(feedback) ? "good" : "warn"}>feedback: {feedback}</Tag>
        )}
        {users.map((user) => (
          <Link
            key={user}
            to="/users/$userId"
            params={{ userId: user }}
            search={(old: Search) => ({ ...old, filter: chipsAt([], "user_id", user) })}
          >
            {user}
          </Link>
        ))}
        <nav className={css["links"]} aria-label="Of this session">
          <Link
            to="/requests"
            search={(old: Search) => ({ ...old, filter: chipsAt(view.search.filter, "session_id", sessionId) })}
          >
            Requests
          </Link>
        </nav>
      </div>
    </header>
  );
}

/** Says what of the session the chips and the range leave out, and shows it. */
function Outside({ data, whole, sessionId }: { data: Report; whole: SessionTree; sessionId: string }) {
  const navigate = useNavigate();
  const { coverage, cost, first_request_at: first, last_request_at: last } = whole.total;
  const missing = Number(coverage.attempts) - Number(data.total["attempts"]);
  if (missing <= 0 || !first || !last) return null;
  const showWhole = () =>
    void navigate({
      to: ".",
      search: ({ range: _, ...old }: Search) => ({
        ...old,
        filter: chipsAt([], "session_id", sessionId),
        from: first,
        to: new Date(Date.parse(last) + 1).toISOString(),
      }),
    });
  return (
    <p className={css["outside"]} role="status">
      <span>
        {Number(data.total["attempts"]) === 0
          ? "Nothing of this session is in this range and fulfils all of these conditions."
          : `The range and the conditions leave out ${count(missing)} of its ${pluralize(coverage.attempts, "row")}.`}{" "}
        All of it cost <span title={exactMoney(cost)}>{money(cost)}</span>.
      </span>
      <Button onClick={showWhole}>Show all of it</Button>
    </p>
  );
}

function SessionFacts({ data, zone }: { data: Report; zone: string }) {
  const { total } = data;
  const [first, last] = [String(total["first_request_at"]), String(total["last_request_at"])];
  const errors = Number(total["errors"] ?? 0);
  return (
    <Facts
      facts={[
        [
          "Started",
          <time key="started" dateTime={first} title={`${absolute(first, zone)} (${zone})`}>
            {relative(first, currentMinute(), zone)}
          </time>,
        ],
        ["First to last request", duration(Date.parse(last) - Date.parse(first))],
        ["Requests", count(total["requests"])],
        ["Models", count(total["models"])],
        ["Tokens", total["total_tokens"] === null ? "unknown" : compactCount(total["total_tokens"])],
        ["Errors", errors ? count(errors) : "none"],
      ]}
    />
  );
}

function StepsCard({ answer, total }: { answer: ReturnType<typeof useSteps>; total: Report["total"] | undefined }) {
  const [chosen, setChosen] = useState(-1);
  const navigate = useNavigate();
  const rows = answer.data?.data;
  const lines = useMemo(() => linesOf(rows ?? []), [rows]);
  const open = (row: RequestRow) =>
    void navigate({ to: "/requests/$requestId", params: { requestId: row.request_id }, search: (old) => old });
  useRowKeys({
    rows: lines,
    chosen,
    setChosen,
    onOpen: ({ request }) => request && open(request),
    onUp: undefined,
    scrollTo: (index) => document.querySelector(`[data-line="${index}"]`)?.scrollIntoView({ block: "nearest" }),
  });
  return (
    <Card
      title="Step by step"
      note={answer.data?.has_more ? `the first ${count(MOST_STEPS)} requests` : "by path, along time"}
      isStale={answer.isPlaceholderData}
    >
      <Loaded answer={answer} height={220}>
        {() =>
          lines.length ? (
            <Waterfall lines={lines} total={total?.["cost_usd"] as Maybe} chosen={chosen} onOpen={open} />
          ) : (
            <Empty>No request.</Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

/** Only of a session with one name and a known cost. */
function RankCard({ whole, zone }: { whole: SessionTree; zone: string }) {
  const { cost, last_request_at: last } = whole.total;
  const [name, ...others] = whole.session_names;
  const isRanked = cost !== null && last !== null && Boolean(name) && others.length === 0;
  const answer = useDistribution(
    isRanked ? rankQuestion(name ?? "", digitsOf(cost as NonNullable<typeof cost>), last ?? "", zone) : undefined,
  );
  if (!isRanked) return null;
  return (
    <Card title="Is that usual?" note={`in the ${RANK_DAYS} days until it ended`} isStale={answer.isPlaceholderData}>
      <Loaded answer={answer} height={230}>
        {({ data }) => (
          <>
            <p className={css["rank"]} data-rank>
              {rankText(data, name ?? "") ?? "No other session has this name."}
              <span className={css["soft"]}>
                {" "}
                · average <span title={exactMoney(data.average_usd)}>{money(data.average_usd)}</span>, median{" "}
                <span title={exactMoney(data.percentiles.p50_usd)}>{money(data.percentiles.p50_usd)}</span>
              </span>
            </p>
            {Number(data.known) > 1 && <Histogram data={data} mark={cost} markName={`this one, ${money(cost)}`} />}
          </>
        )}
      </Loaded>
    </Card>
  );
}
