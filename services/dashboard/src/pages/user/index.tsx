/** One user: what was spent and on what, how it went, since when, and what stands against it. */
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Grouping, isAnswered, type Report, type ReportRow, useAnomalies, useReport } from "../../api/queries";
import {
  compactCount,
  count,
  exactMoney,
  type Maybe,
  milliseconds,
  money,
  moneyChange,
  percent,
  pluralize,
} from "../../format/format";
import { absolute, relative } from "../../format/time";
import { answeredPeriod, usePublish } from "../../frame/published";
import { chipsAt } from "../../state/drill";
import { filterOf, titleOf } from "../../state/filter";
import { useSubject } from "../../state/subject";
import { currentMinute, useDrill, useView, type ViewState } from "../../state/view";
import { Facts } from "../../ui/Facts";
import { GroupTable } from "../../ui/GroupTable";
import { NothingFound } from "../../ui/NothingFound";
import { Card, Cost, Empty, ErrorNote, Loaded, Skeleton, Tag } from "../../ui/ui";
import { AnomaliesCard } from "../overview/AnomaliesCard";
import { SpendCard } from "../overview/SpendCard";
import { LatencyCard } from "./LatencyCard";
import { everQuestion, PARTS, unusualQuestion, userQuestion, valueQuestion } from "./questions";
import css from "./user.module.css";

/** The page's view, of this user whatever the chips say. */
function useUserView(userId: string): ViewState {
  const view = useView();
  return useMemo(() => {
    const filter = chipsAt(view.search.filter, "user_id", userId);
    const by = view.by === "user_id" ? "model" : view.by;
    return { ...view, by, search: { ...view.search, filter }, filter: filterOf(filter) };
  }, [view, userId]);
}

export default function User() {
  const { userId } = useParams({ strict: false }) as { userId: string };
  const view = useUserView(userId);
  const question = userQuestion(view);
  const report = useReport(question);
  const ever = useReport(everQuestion(["user_id", "equals", userId], view.zone));
  const value = useReport(valueQuestion(view));
  const data = report.data?.data;
  const isEmpty = data !== undefined && Number(data.total["attempts"]) === 0;
  useSubject("user_id", userId);
  usePublish({
    seal: report.data?.seal,
    period: answeredPeriod(report),
    exported: { path: "/v1/report", body: { ...question, breakdowns: [] }, name: `farebox-${userId}` },
  });
  return (
    <>
      <Heading userId={userId} view={view} data={data} ever={ever.data?.data} />
      {report.error ? (
        <ErrorNote error={report.error} retry={report.refetch} />
      ) : isEmpty ? (
        <NothingFound what="request of this user" />
      ) : (
        <>
          {data ? <UserFacts data={data} value={value.data?.data.total} /> : <Skeleton height={74} />}
          <SpendCard report={report} view={view} />
          <Parts report={report} view={view} userId={userId} />
        </>
      )}
    </>
  );
}

interface HeadingProps {
  userId: string;
  view: ViewState;
  data: Report | undefined;
  ever: Report | undefined;
}

function Heading({ userId, view, data, ever }: HeadingProps) {
  const tiers = (ever?.rows ?? []).flatMap(({ by }) => (by[0] === null || by[0] === undefined ? [] : [String(by[0])]));
  const change = data?.compared?.total.change["cost_usd"];
  return (
    <header className={css["head"]}>
      <div className={css["title"]}>
        <h1>
          {data ? <Cost value={data.total["cost_usd"]} unpriced={data.total["unpriced_requests"]} isLong /> : "\u00a0"}
        </h1>
        {change && <span className={css["soft"]}>{moneyChange(change.absolute as Maybe, change.relative)}</span>}
      </div>
      <div className={css["who"]}>
        <code>{userId}</code>
        {tiers.map((tier) => (
          <Tag key={tier}>{tier}</Tag>
        ))}
        {ever && Number(ever.total["requests"]) > 0 && (
          <span className={css["soft"]} data-ever>
            first seen <Seen at={ever.total["first_request_at"]} zone={view.zone} /> · last seen{" "}
            <Seen at={ever.total["last_request_at"]} zone={view.zone} /> ·{" "}
            {pluralize(ever.total["active_days"], "active day")} (UTC) ·{" "}
            <span title={exactMoney(ever.total["cost_usd"])}>{money(ever.total["cost_usd"])}</span> in all
          </span>
        )}
        <nav className={css["links"]} aria-label="Of this user">
          <Link to="/sessions" search={(old) => ({ ...old, filter: view.search.filter ?? [] })}>
            Sessions
          </Link>
          <Link to="/requests" search={(old) => ({ ...old, filter: view.search.filter ?? [] })}>
            Requests
          </Link>
        </nav>
      </div>
    </header>
  );
}

function Seen({ at, zone }: { at: Maybe; zone: string }) {
  const timestamp = String(at);
  return (
    <time dateTime={timestamp} title={`${absolute(timestamp, zone)} (${zone})`}>
      {relative(timestamp, currentMinute(), zone)}
    </time>
  );
}

function UserFacts({ data, value }: { data: Report; value: Report["total"] | undefined }) {
  const { total } = data;
  const errors = Number(total["errors"] ?? 0);
  const hasValue = value?.["value_usd"] !== null && value?.["value_usd"] !== undefined;
  return (
    <Facts
      facts={[
        ["Requests", count(total["requests"])],
        ["Average cost", <Cost key="average" value={total["average_cost_usd"]} />],
        ["p95 latency", total["p95_latency_ms"] === null ? "–" : milliseconds(total["p95_latency_ms"])],
        ["Errors", errors ? `${count(errors)} (${percent(total["error_rate"])})` : "none"],
        ["Sessions", count(total["sessions"])],
        ["Cache hits", total["cache_hit_rate"] === null ? "–" : percent(total["cache_hit_rate"], 0)],
        ["Tokens", total["total_tokens"] === null ? "unknown" : compactCount(total["total_tokens"])],
        hasValue && ["Value", <Cost key="value" value={value["value_usd"]} />],
        hasValue && [
          "Margin",
          <span key="margin" title={exactMoney(value["margin_usd"])}>
            {money(value["margin_usd"])}
            {value["return_ratio"] != null && (
              <small className={css["soft"]}> {Number(value["return_ratio"]).toFixed(1)}× return</small>
            )}
          </span>,
        ],
      ]}
    />
  );
}

interface PartsProps {
  report: ReturnType<typeof useReport>;
  view: ViewState;
  userId: string;
}

function Parts({ report, view, userId }: PartsProps) {
  const drill = useDrill();
  const anomalies = useAnomalies(unusualQuestion(view), isAnswered(report));
  const data = report.data?.data;
  const part = (index: number) => ({ ...report, data: data?.breakdowns[index] as Grouping | undefined });
  const isStale = report.isPlaceholderData;
  const others = [
    { by: "model", index: PARTS.models, title: "Models" },
    { by: "@Feature", index: PARTS.features, title: "Features" },
  ].filter(({ by }) => by !== view.by);
  return (
    <div className={css["cards"]}>
      <div className={css["stack"]}>
        <LatencyCard answer={part(PARTS.time)} view={view} isStale={isStale} />
        <Card title="Dearest sessions" isStale={isStale}>
          <Loaded answer={part(PARTS.sessions)} height={240}>
            {(grouping) => {
              const rows = present(grouping)
                .filter(({ by }) => by[0])
                .slice(0, 8);
              return rows.length ? (
                <GroupTable
                  name="sessions"
                  by="session_id"
                  rows={rows}
                  total={grouping.total}
                  onOpen={(value, { by: [, name] }) =>
                    drill("session_id", value, name ? [["session_name", "equals", String(name)]] : [])
                  }
                />
              ) : (
                <Empty>No session in this range.</Empty>
              );
            }}
          </Loaded>
        </Card>
      </div>
      <div className={css["stack"]}>
        {others.map(({ by, index, title }) => (
          <Card key={by} title={title} isStale={isStale}>
            <Loaded answer={part(index)} height={240}>
              {(grouping) => (
                <GroupTable
                  name={titleOf(by)}
                  by={by}
                  rows={present(grouping)}
                  total={grouping.total}
                  onOpen={(value) => drill(by, value)}
                />
              )}
            </Loaded>
          </Card>
        ))}
        <AnomaliesCard
          answer={anomalies}
          zone={view.zone}
          isStale={anomalies.isPlaceholderData}
          subject={["user_id", userId]}
        />
      </div>
    </div>
  );
}

/** Those with requests in this period: a comparison has those of the other one too. */
function present(grouping: Grouping): ReportRow[] {
  return (grouping.rows as ReportRow[]).filter(({ measures }) => Number(measures["requests"]) > 0);
}
