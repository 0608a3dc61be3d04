/** What caches save, and what could be saved: the home of savings. */

import { useState } from "react";
import type { Sealed } from "../../api/client";
import { type Report, useReport } from "../../api/queries";
import { type PromptCaches, usePromptCaches, useTimeSaved } from "../../api/savings";
import { difference } from "../../format/decimal";
import { compactMoney, count, exactMoney, type Maybe, percent, pluralize } from "../../format/format";
import { answeredPeriod, usePublish } from "../../frame/published";
import { isRunning } from "../../state/range";
import { currentMinute, useView } from "../../state/view";
import { Tile, Tiles } from "../../ui/Tile";
import { Card, Empty, Hidden, Loaded } from "../../ui/ui";
import css from "./cache.module.css";
import { duration, lossText } from "./figures";
import { PromptCacheCard } from "./PromptCacheCard";
import { BY, cacheQuestion, instants, savingsQuestion } from "./questions";
import { type Point, RateChart } from "./RateChart";
import { RepeatsCard } from "./RepeatsCard";
import { SavedCard } from "./SavedCard";
import { TopCard } from "./TopCard";
import { WhatIfCard } from "./WhatIfCard";

const CHART_PX = 280;

export default function Cache() {
  const view = useView();
  const question = cacheQuestion(view);
  const report = useReport(question);
  const period = { timeFilter: instants(view, currentMinute()), filter: view.filter };
  const time = useTimeSaved(period as never);
  const [lossBy, setLossBy] = useState<string>("user_id");
  const by = BY.find(({ name }) => name === lossBy) ?? BY[0];
  const prompts = usePromptCaches(savingsQuestion<"PromptCacheRequest">(view, { by: [by.part], limit: 8 }));
  usePublish({
    seal: report.data?.seal,
    period: answeredPeriod(report),
    exported: { path: "/v1/report", body: { ...question, breakdowns: [] }, name: "farebox-cache" },
  });
  return (
    <>
      <Hidden>
        <h1>Cache</h1>
      </Hidden>
      <Tiles>
        <Tile title="Saved by the response cache" name="Saved" answer={report} read={savedFigures} />
        <Tile title="Hit rate" answer={report} read={rateFigures} />
        <Tile
          title="Time saved by it"
          answer={time}
          read={({ data, coverage }) => ({
            figure: Number(coverage.cache_hits) ? duration(data) : "none",
            note: `${pluralize(coverage.cache_hits, "response")} without a wait`,
          })}
        />
        <Tile title="Providers' prompt caches" answer={prompts} read={promptFigures} />
      </Tiles>
      <Card title="Hit rate over time" isStale={report.isPlaceholderData}>
        <Loaded answer={report} height={CHART_PX}>
          {({ data }) =>
            Number(data.total["cache_requests"] ?? 0) ? (
              <RateChart
                points={pointsOf(data)}
                bucket={view.bucket}
                zone={view.zone}
                isRunning={isRunning(view.timeFilter, currentMinute())}
              />
            ) : (
              <NotUsed />
            )
          }
        </Loaded>
      </Card>
      <div className={css["cards"]}>
        <SavedCard answer={report} isStale={report.isPlaceholderData} />
        <TopCard period={period} />
      </div>
      <h2 className={css["part"]}>Savings to be had</h2>
      <div className={css["cards"]}>
        <RepeatsCard />
        <PromptCacheCard answer={prompts} by={by} onBy={setLossBy} />
        <WhatIfCard />
      </div>
    </>
  );
}

function NotUsed() {
  return (
    <Empty>
      <span>
        No request of this range allowed the response cache. The header <code>Helicone-Cache-Enabled: true</code> does,
        for each request that sends it; what it would have saved stands below.
      </span>
    </Empty>
  );
}

interface Row {
  by: unknown[];
  measures: Record<string, Maybe>;
}

export function pointsOf(report: Report): Point[] {
  return (report.rows as unknown as Row[]).map(({ by, measures }) => ({
    start: String(by[0]),
    rate:
      measures["cache_hit_rate"] === null || measures["cache_hit_rate"] === undefined
        ? null
        : Number(measures["cache_hit_rate"]),
    hits: Number(measures["cache_hits"] ?? 0),
    allowed: Number(measures["cache_requests"] ?? 0),
  }));
}

/** What reading saved, less what writing cost more; and what was lost all the same. */
function promptFigures({ data }: Sealed<PromptCaches>) {
  const { read_saved_usd: saved, write_extra_usd: extra, lost } = data.total;
  const net = saved === null || extra === null ? null : difference(saved, extra);
  return {
    figure: Number(data.total.input_tokens) ? compactMoney(net) : "none",
    exact: exactMoney(net),
    note: Number(data.total.input_tokens)
      ? `saved by reading, ${lossText(lost)} lost`
      : "no request with a prompt long enough",
  };
}

function savedFigures({ data: { total, rows } }: Sealed<Report>) {
  const saved = total["cache_savings_usd"];
  const unpriced = Number(total["unpriced_cache_hits"] ?? 0);
  return {
    figure: compactMoney(saved),
    exact: exactMoney(saved),
    shape: (rows as unknown as Row[]).map(({ measures }) => Number(measures["cache_savings_usd"] ?? 0)),
    note: unpriced ? `and of ${pluralize(unpriced, "response")} it is unknown` : "what its responses would have cost",
  };
}

function rateFigures({ data }: Sealed<Report>) {
  const allowed = Number(data.total["cache_requests"] ?? 0);
  return {
    figure: allowed ? percent(data.total["cache_hit_rate"]) : "none",
    shape: allowed ? pointsOf(data).map(({ rate }) => rate ?? 0) : [],
    note: (
      <>
        <b>{count(data.total["cache_hits"])}</b> of {pluralize(allowed, "request")} that allowed it
      </>
    ),
  };
}
