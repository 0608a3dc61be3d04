/** One page that says where the money goes: how much, since when, for what, and what is not known. */
import { lazy, Suspense, useState } from "react";
import {
  type Grouping,
  groupingOf,
  isAnswered,
  useAnomalies,
  useChanges,
  useReport,
  useUnknown,
} from "../../api/queries";
import { dateIn, weekdayName } from "../../format/time";
import { answeredPeriod, usePublish } from "../../frame/published";
import { useAnswered } from "../../state/answered";
import { isRunning, sinceOf } from "../../state/range";
import { currentMinute, useView } from "../../state/view";
import { NothingFound } from "../../ui/NothingFound";
import { useNear } from "../../ui/near";
import { Tiles } from "../../ui/Tile";
import { classes, Hidden, Loaded, Skeleton } from "../../ui/ui";
import { AnomaliesCard } from "./AnomaliesCard";
import { CacheCard, ChangesCard, UsersCard } from "./cards";
import { FirstRun } from "./FirstRun";
import css from "./overview.module.css";
import {
  anomaliesQuestion,
  DETAILS,
  detailsQuestion,
  exportQuestion,
  monthQuestion,
  spendQuestion,
  weekQuestion,
} from "./questions";
import { todayOf, wholeOf } from "./recent";
import { SpendCard } from "./SpendCard";
import { TreeCard } from "./TreeCard";
import { SavingsTile, SpentTile } from "./tiles";

// With its dialogs it is not part of the first view's scripts.
const UnpricedCard = lazy(() => import("./UnpricedCard"));

export function Overview() {
  const view = useView();
  const now = currentMinute();
  const today = dateIn(view.zone, now);
  const isLive = isRunning(view.timeFilter, now);
  const report = useReport(spendQuestion(view), { live: isLive ? "eagerly" : "not" });
  const enabled = isAnswered(report);
  const week = useReport(weekQuestion(view, now), { live: "steadily", enabled });
  const month = useReport(monthQuestion(view, now), { live: "steadily", enabled });
  const details = useReport(detailsQuestion(view), {
    live: isLive ? "steadily" : "not",
    enabled: [report, week, month].every(isAnswered),
  });
  const data = report.data?.data;
  const isEmpty = data && Number(data.total["requests"]) === 0;
  const isFirstRun = isEmpty && !view.search.filter && Number(month.data?.data.total["requests"] ?? 1) === 0;
  // Whoever waits for the first request is shown it, and not sent away when it comes; whoever leaves is not sent back.
  const [isWaiting, setWaiting] = useState<boolean>();
  if (isFirstRun && isWaiting === undefined) setWaiting(true);
  usePublish({
    seal: report.data?.seal,
    period: answeredPeriod(report),
    exported: { path: "/v1/report", body: exportQuestion(view), name: "farebox-costs" },
    isFirstRun: isWaiting ?? false,
  });
  if (isWaiting) return <FirstRun onSeen={() => setWaiting(false)} />;
  return (
    <>
      <Hidden>
        <h1>Overview</h1>
      </Hidden>
      <Tiles>
        <SpentTile
          title="Today"
          note={`vs last ${weekdayName(today)} by now`}
          answer={week}
          read={(report) => todayOf(report, today)}
        />
        <SpentTile title="This week" note="vs last week by now" answer={week} read={wholeOf} />
        <SpentTile title="This month" note="vs last month by now" answer={month} read={wholeOf} isMonth />
        <SavingsTile report={report} compared={details} />
      </Tiles>
      {isEmpty && !month.data && !month.error ? (
        <Skeleton height={300} />
      ) : isEmpty ? (
        <NothingFound what="request" />
      ) : (
        <>
          <SpendCard report={report} compared={details} view={view} />
          <Details spend={report} report={details} />
        </>
      )}
    </>
  );
}

function Details({ spend, report }: Record<"spend" | "report", ReturnType<typeof useReport>>) {
  const view = useView();
  const mayAsk = isAnswered(report);
  const changes = useChanges(
    {
      by: [groupingOf(view.by)],
      filter: view.filter,
      timeFilter: view.timeFilter as never,
      timeZone: view.zone,
      compare: view.compare === "none" ? "previous" : view.compare,
      limit: 6,
    },
    view.compare !== "none" && mayAsk,
  );
  const changesBy = useAnswered(view.by, !changes.isPlaceholderData);
  const anomalies = useAnomalies(anomaliesQuestion(view), mayAsk && (view.compare === "none" || isAnswered(changes)));
  const part = (index: number) => ({ ...report, data: report.data?.data.breakdowns[index] as Grouping | undefined });
  const isStale = report.isPlaceholderData;
  const hasUnpriced = !view.search.filter && Number(report.data?.data.total["unpriced_requests"] ?? 0) > 0;
  return (
    <div className={css["cards"]}>
      <div className={classes(css["stack"], css["wide"])}>
        {view.compare !== "none" && <ChangesCard answer={changes} isStale={changes.isPlaceholderData} by={changesBy} />}
        <TreeCard answer={report} isStale={isStale} />
        <AnomaliesCard answer={anomalies} zone={view.zone} isStale={anomalies.isPlaceholderData} />
      </div>
      <div className={classes(css["stack"], css["narrow"])}>
        <UsersCard answer={part(DETAILS.users)} isStale={isStale} />
        <CacheCard answer={spend} isStale={spend.isPlaceholderData} />
        {hasUnpriced && <Unpriced />}
      </div>
    </div>
  );
}

/** Asked for when it is scrolled near: it stands below all else, and most pages have none. */
function Unpriced() {
  const view = useView();
  const [place, isNear] = useNear();
  const unknown = useUnknown(sinceOf(view.timeFilter), view.zone, isNear);
  if (!isNear) return <div ref={place} />;
  return (
    <Loaded answer={unknown} height={120}>
      {({ data }) =>
        data.models.length ? (
          <Suspense fallback={<Skeleton height={120} />}>
            <UnpricedCard models={data} zone={view.zone} />
          </Suspense>
        ) : null
      }
    </Loaded>
  );
}
