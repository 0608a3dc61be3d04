/** Spend over time by group, and the same as a table that filters. */

import { useMemo, useState } from "react";
import { comparedIn, type Grouping, type ReportRow, type useReport } from "../../api/queries";
import { BarsTable } from "../../chart/BarsTable";
import chart from "../../chart/chart.module.css";
import { StackedBars, usePreparedCharts } from "../../chart/StackedBars";
import {
  barsOf,
  type ChartMeasure,
  COST,
  keyOf,
  othersOf,
  paletteOf,
  REQUESTS,
  REST,
  SHOWN_GROUPS,
} from "../../chart/series";
import { count, type Maybe, moneyChange, percent, pluralize, relativeChange } from "../../format/format";
import { useAnswered } from "../../state/answered";
import { titleOf } from "../../state/filter";
import { isRunning } from "../../state/range";
import { COMPARE_TITLES } from "../../state/search";
import { currentMinute, useChange, useDrill, useZoom, type ViewState } from "../../state/view";
import grid from "../../ui/table.module.css";
import { Card, Cost, classes, ErrorNote, LinkButton, Skeleton } from "../../ui/ui";
import css from "./overview.module.css";
import { BREAKDOWNS } from "./questions";

/** By what most people look first; all others are in the bar. */
const GROUPS = [
  ["@Feature", "feature"],
  ["model", "model"],
  ["@Environment", "environment"],
  ["@UserTier", "user tier"],
  ["key_id", "key"],
] as const;

type Answer = ReturnType<typeof useReport>;

interface Props {
  report: Answer;
  /** By the same groups, beside the period compared with, where `report` is not. */
  compared?: Answer;
  view: ViewState;
}

export function SpendCard({ report, compared, view }: Props) {
  const [reading, setReading] = useState<ChartMeasure>(COST);
  const { measure } = reading;
  const { compare } = view;
  const change = useChange();
  const drill = useDrill();
  const zoom = useZoom();
  usePreparedCharts();
  const data = report.data?.data;
  const isMatching = !report.isPlaceholderData;
  const { by, bucket, zone, timeFilter } = useAnswered(view, isMatching);
  const bars = useMemo(() => {
    const [times, groups] = [data?.breakdowns[BREAKDOWNS.time], data?.breakdowns[BREAKDOWNS.groups]];
    if (!data || !times || !groups) return undefined;
    return barsOf(times as Grouping, groups as Grouping, data as Grouping, reading, paletteOf(by));
  }, [data, reading, by]);
  const nameOf = (value: string | null, key: string) => (key === REST ? "rest" : value || `(no ${titleOf(by)})`);
  const total = data?.total;
  const { moved, changes } = changesOf(report, compared);
  return (
    <Card
      title={`Spend by ${titleOf(by)}`}
      isStale={!isMatching}
      note={
        <span className={css["switches"]}>
          <span className={css["toggle"]}>
            {GROUPS.map(([name, title]) => (
              <button key={name} type="button" aria-pressed={name === view.by} onClick={() => change({ by: name })}>
                {title}
              </button>
            ))}
          </span>
          <span className={css["toggle"]}>
            {[COST, REQUESTS].map((one) => (
              <button key={one.measure} type="button" aria-pressed={one === reading} onClick={() => setReading(one)}>
                {one.title}
              </button>
            ))}
          </span>
        </span>
      }
    >
      {report.error ? (
        <ErrorNote error={report.error} retry={report.refetch} />
      ) : (
        <div className={css["spend"]}>
          <div>
            <div className={css["total"]} data-total="range">
              <strong>
                {total ? (
                  Number(total["requests"]) ? (
                    <Cost value={total["cost_usd"]} unpriced={total["unpriced_requests"]} isLong />
                  ) : (
                    "$0.00"
                  )
                ) : (
                  "\u00a0"
                )}
              </strong>
              <span className={css["soft"]}>
                {total &&
                  `${pluralize(total["requests"], "request")}${Number(total["unpriced_requests"]) ? `, ${percent(total["priced_request_share"])} priced` : ""}`}
                {moved &&
                  compare !== "none" &&
                  ` · ${moneyChange(moved.absolute as Maybe, moved.relative)} vs ${COMPARE_TITLES[compare]}`}
              </span>
            </div>
            {bars ? (
              <StackedBars
                bars={bars}
                reading={reading}
                bucket={bucket}
                zone={zone}
                isRunning={isRunning(timeFilter, currentMinute())}
                nameOf={nameOf}
                onPick={(_, value) => drill(by, value)}
                {...(reading === COST ? { onUnknown: () => drill("cost_usd", null) } : {})}
                onZoom={(from, to) => zoom(from, to || (data?.end ?? ""))}
              />
            ) : (
              <Skeleton height={300} />
            )}
            {bars && <BarsTable {...{ bars, reading, bucket, zone, nameOf }} />}
          </div>
          {data && bars ? (
            <Legend
              grouping={data.breakdowns[BREAKDOWNS.groups] as Grouping}
              total={data.total}
              {...{ measure, by, nameOf, changes }}
              colours={new Map(bars.series.map((one) => [one.key, one.colour]))}
            />
          ) : (
            <Skeleton height={300} />
          )}
        </div>
      )}
    </Card>
  );
}

type Compared = ReportRow["compared"];

/** How the total and each group differ from what they were. */
function changesOf(report: Answer, compared: Answer | undefined) {
  const data = compared ? comparedIn(report, compared) : report.data?.data;
  if (!data) return { moved: undefined, changes: NONE };
  const groups = compared ? data : data.breakdowns[BREAKDOWNS.groups];
  const rows = (groups?.rows ?? []) as ReportRow[];
  return {
    moved: data.compared?.total.change["cost_usd"],
    changes: new Map(rows.map((row) => [keyOf(row.by[0]), row.compared])),
  };
}

const NONE: ReadonlyMap<string, Compared> = new Map();

interface LegendProps {
  grouping: Grouping;
  total: Record<string, Maybe>;
  measure: string;
  by: string;
  nameOf: (value: string | null, key: string) => string;
  colours: Map<string, number>;
  changes: ReadonlyMap<string, Compared>;
}

function Legend({ grouping, total, measure, by, nameOf, colours, changes }: LegendProps) {
  const drill = useDrill();
  const rows = grouping.rows as ReportRow[];
  const shown = rows.slice(0, 9);
  const all = Number(total[measure] ?? 0);
  const unpriced = Number(total["unpriced_requests"] ?? 0);
  const rest = othersOf(rows, shown.length, grouping, total, measure);
  return (
    <div>
      <table className={grid["table"]}>
        <thead>
          <tr>
            <th>{titleOf(by)}</th>
            <th className={grid["figure"]}>{measure === "cost_usd" ? "cost" : "requests"}</th>
            <th className={grid["figure"]}>share</th>
            <th className={classes(grid["figure"], css["optional"])}>change</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row, index) => {
            const value = row.by[0] === null || row.by[0] === undefined ? null : String(row.by[0]);
            const name = nameOf(value, keyOf(value));
            const compared = changes.get(keyOf(value));
            const change = compared?.change["cost_usd"];
            return (
              <tr key={keyOf(value)} data-group={name}>
                <td className={grid["name"]}>
                  <span className={css["group"]}>
                    <i className={chart[`swatch${index < SHOWN_GROUPS ? (colours.get(keyOf(value)) ?? 0) : 0}`]} />
                    <LinkButton onClick={() => drill(by, value)} title={`Only ${name}`}>
                      {name}
                    </LinkButton>
                  </span>
                </td>
                <td className={grid["figure"]}>
                  {measure === "cost_usd" ? (
                    <Cost value={row.measures["cost_usd"]} unpriced={row.measures["unpriced_requests"]} />
                  ) : (
                    count(row.measures["requests"])
                  )}
                </td>
                <td className={grid["figure"]}>
                  {all && row.measures[measure] !== null ? percent(Number(row.measures[measure]) / all, 0) : "–"}
                </td>
                <td className={classes(grid["figure"], css["soft"], css["optional"])}>
                  {change?.relative == null
                    ? compared?.presence === "new"
                      ? "new"
                      : "–"
                    : relativeChange(change.relative)}
                </td>
              </tr>
            );
          })}
          {unpriced > 0 && measure === "cost_usd" && (
            <tr data-group="unknown">
              <td className={grid["name"]}>
                <span className={css["group"]}>
                  <i className={chart["swatchUnknown"]} />{" "}
                  <LinkButton onClick={() => drill("cost_usd", null)}>unknown</LinkButton>
                </span>
              </td>
              <td className={grid["figure"]} colSpan={3}>
                {pluralize(unpriced, "request")}
              </td>
            </tr>
          )}
        </tbody>
        <tfoot>
          {rest && (
            <tr className={css["soft"]} data-group="rest">
              <td>
                <span className={css["group"]}>
                  <i className={chart["swatch0"]} /> {rest.title}
                </span>
              </td>
              <td className={grid["figure"]}>
                {measure === "cost_usd" ? <Cost value={rest.value} unpriced={rest.unpriced} /> : count(rest.value)}
              </td>
              <td className={grid["figure"]}>
                {all && rest.value !== null ? percent(Number(rest.value) / all, 0) : "–"}
              </td>
              <td className={css["optional"]} />
            </tr>
          )}
          <tr className={css["strong"]}>
            <td>Total</td>
            <td className={grid["figure"]}>
              {measure === "cost_usd" ? (
                <Cost value={total["cost_usd"]} unpriced={unpriced} />
              ) : (
                count(total["requests"])
              )}
            </td>
            <td colSpan={2} />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
