/** Over time as bars or lines, else a bar for each group; behind either the same figures as a table. */

import { useMemo } from "react";
import type { Grouping, Report } from "../../api/queries";
import chart from "../../chart/chart.module.css";
import { StackedBars } from "../../chart/StackedBars";
import { ALL, allOf, barsOf, type ChartMeasure, paletteOf, REST } from "../../chart/series";
import { compactCount, compactMoney, milliseconds } from "../../format/format";
import { bucketNameOf, isTime } from "../../state/dimensions";
import { isRunning } from "../../state/range";
import { currentMinute, useChange, useView, useZoom } from "../../state/view";
import { Empty, Skeleton } from "../../ui/ui";
import { CategoryBars } from "./CategoryBars";
import css from "./explore.module.css";
import { FlatTable } from "./FlatTable";
import { useNarrow, valueTitle } from "./figures";
import { figureText, measureOf } from "./measures";
import { PivotTable } from "./PivotTable";
import { pivotOf } from "./pivot";
import type { Exploration as State } from "./question";
import { timeOf } from "./question";

interface Props {
  report: Report;
  exploration: State;
}

export function Chart({ report, exploration }: Props) {
  const { measures, main } = exploration;
  const change = useChange();
  const inTime = timeOf(exploration);
  return (
    <>
      {measures.length > 1 && (
        <div className={css["pick"]}>
          <label htmlFor="charted">Figure</label>
          <select
            id="charted"
            value={main}
            onChange={(event) => change({ order: [event.target.value, "value", "desc"] })}
          >
            {measures.map((name) => (
              <option key={name} value={name}>
                {measureOf(name).title}
              </option>
            ))}
          </select>
        </div>
      )}
      {inTime ? <TimeChart {...{ report, exploration, ...inTime }} /> : <GroupChart {...{ report, exploration }} />}
    </>
  );
}

/** How the chart of a measure reads. */
export function readingOf(name: string, zone: string): ChartMeasure {
  const { title, unit, adds } = measureOf(name);
  const axes: Partial<Record<typeof unit, (value: number) => string>> = {
    usd: (value) => compactMoney(value).replace(/\.00$/, ""),
    ms: (value) => (value ? milliseconds(value).replace(/\.00 s$/, " s") : "0"),
    share: (value) => `${Math.round(value * 100)} %`,
  };
  return {
    measure: name,
    title,
    adds,
    text: (value) => figureText({ unit }, value, zone),
    axis: axes[unit] ?? compactCount,
  };
}

function TimeChart({ report, exploration, time, other }: Props & { time: string; other: string | undefined }) {
  const { main, measures } = exploration;
  const view = useView();
  const zoom = useZoom();
  const narrow = useNarrow();
  const reading = useMemo(() => readingOf(main, view.zone), [main, view.zone]);
  const [buckets, groups] = report.breakdowns as (Grouping | undefined)[];
  const isWhole = buckets !== undefined && (other === undefined || groups !== undefined);
  const bars = useMemo(() => {
    if (!buckets || !isWhole) return undefined;
    if (!other || !groups) return allOf(buckets, main);
    return barsOf(buckets, groups, report as Grouping, reading, paletteOf(other));
  }, [report, buckets, groups, other, main, reading, isWhole]);
  if (!bars || !isWhole) return <Skeleton height={300} />;
  if (measureOf(main).unit === "time") return <Empty>A date is no height: take another figure.</Empty>;
  const nameOf = (value: string | null, key: string) =>
    key === REST ? "rest" : key === ALL ? reading.title : valueTitle(other ?? "", value, view.zone);
  return (
    <>
      {other && (
        <div className={css["legend"]}>
          {bars.series.map(({ key, value, colour }) => (
            <span key={key}>
              <i className={chart[`swatch${colour}`]} />
              {nameOf(value, key)}
            </span>
          ))}
          {main === "cost_usd" && bars.unknown.some(Boolean) && (
            <span>
              <i className={chart["swatchUnknown"]} />
              unknown
            </span>
          )}
        </div>
      )}
      <StackedBars
        bars={bars}
        reading={reading}
        bucket={bucketNameOf(time)}
        zone={view.zone}
        isRunning={isRunning(view.timeFilter, currentMinute())}
        nameOf={nameOf}
        onPick={(_, value) => other && narrow([other, "equals", value])}
        onZoom={(from, to) => zoom(from, to || report.end)}
      />
      <details className={css["behind"]}>
        <summary>The same as a table</summary>
        {other && groups && buckets ? (
          <PivotTable
            pivot={pivotOf(other, time, measures, report as Grouping, groups, buckets)}
            exploration={{ ...exploration, by: other, across: time }}
            across={time}
          />
        ) : (
          <FlatTable report={report} exploration={{ ...exploration, by: time, across: undefined }} />
        )}
      </details>
    </>
  );
}

function GroupChart({ report, exploration }: Props) {
  const { by, across, measures } = exploration;
  const [rows, columns] = report.breakdowns as (Grouping | undefined)[];
  const cells = report as Grouping;
  const pivot = across && rows && columns ? pivotOf(by, across, measures, cells, rows, columns) : undefined;
  return (
    <>
      <CategoryBars report={report} exploration={exploration} pivot={pivot} />
      <details className={css["behind"]}>
        <summary>The same as a table</summary>
        {pivot && across && !isTime(across) ? (
          <PivotTable pivot={pivot} exploration={exploration} across={across} />
        ) : (
          <FlatTable report={report} exploration={exploration} />
        )}
      </details>
    </>
  );
}
