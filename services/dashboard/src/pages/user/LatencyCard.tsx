/** How long requests took, bucket by bucket; and all that the charts show, as a table. */

import { useState } from "react";
import type { Grouping, ReportRow } from "../../api/queries";
import { LineChart } from "../../chart/LineChart";
import { count, milliseconds } from "../../format/format";
import { bucketTitle } from "../../format/time";
import { useAnswered } from "../../state/answered";
import { isRunning } from "../../state/range";
import type { ViewState } from "../../state/view";
import { currentMinute } from "../../state/view";
import groups from "../../ui/table.module.css";
import { Button, Card, Cost, Loaded } from "../../ui/ui";
import css from "./user.module.css";

interface Props {
  answer: { data: Grouping | undefined; error: Error | null; refetch: () => unknown };
  view: ViewState;
  isStale: boolean;
}

export function LatencyCard({ answer, view, isStale }: Props) {
  const [isTable, setTable] = useState(false);
  const answered = useAnswered(view, !isStale);
  return (
    <Card
      title={isTable ? "Over time" : "p95 latency over time"}
      isStale={isStale}
      note={
        <Button kind="quiet" className={css["switch"]} aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {isTable ? "Show the chart" : "Show as a table"}
        </Button>
      }
    >
      <Loaded answer={answer} height={250}>
        {(grouping) =>
          isTable ? (
            <Table rows={grouping.rows as ReportRow[]} view={answered} />
          ) : (
            <Chart rows={grouping.rows as ReportRow[]} view={answered} />
          )
        }
      </Loaded>
    </Card>
  );
}

const latencyOf = ({ measures }: ReportRow): number | null =>
  measures["p95_latency_ms"] === null || measures["p95_latency_ms"] === undefined
    ? null
    : Number(measures["p95_latency_ms"]);

function Chart({ rows, view }: { rows: ReportRow[]; view: ViewState }) {
  return (
    <LineChart
      title="p95 latency"
      starts={rows.map(({ by }) => String(by[0]))}
      values={rows.map(latencyOf)}
      text={milliseconds}
      bucket={view.bucket}
      zone={view.zone}
      isRunning={isRunning(view.timeFilter, currentMinute())}
    />
  );
}

function Table({ rows, view }: { rows: ReportRow[]; view: ViewState }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by key
    <section className={css["scroll"]} tabIndex={0} aria-label="Figures over time">
      <table className={groups["table"]} data-table="over-time">
        <thead>
          <tr>
            <th>{view.bucket}</th>
            <th className={groups["figure"]}>cost</th>
            <th className={groups["figure"]}>requests</th>
            <th className={groups["figure"]}>p95 latency</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={String(row.by[0])}>
              <td>{bucketTitle(String(row.by[0]), view.bucket, view.zone)}</td>
              <td className={groups["figure"]} data-cell="cost_usd">
                <Cost value={row.measures["cost_usd"]} unpriced={row.measures["unpriced_requests"]} />
              </td>
              <td className={groups["figure"]}>{count(row.measures["requests"])}</td>
              <td className={groups["figure"]}>{latencyOf(row) === null ? "–" : milliseconds(latencyOf(row))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
