/** How the window's spend grew, beside its limit; and the same figures as a table. */
import { useState } from "react";
import type { Budget, Counter, Forecast } from "../../api/budgets";
import { type ReportRow, useReport } from "../../api/queries";
import { LineChart } from "../../chart/LineChart";
import { COST } from "../../chart/series";
import { exactMoney, money } from "../../format/format";
import { type Bucket, bucketTitle } from "../../format/time";
import { currentMinute } from "../../state/view";
import grid from "../../ui/table.module.css";
import { Button, Card, Empty, Loaded } from "../../ui/ui";
import css from "./budget.module.css";
import { forecastText, type Growth, growthOf, spendQuestion } from "./spend";

interface Props {
  budget: Budget;
  counter: Counter | undefined;
  /** Whose counter it is; empty for the organization. */
  name: string;
  forecast: Forecast | null | undefined;
  zone: string;
}

export function SpendCard({ counter, ...props }: Props) {
  if (!counter)
    return (
      <Card title="Spend in this window">
        <Empty>Nothing was spent in it yet.</Empty>
      </Card>
    );
  return <Grown counter={counter} {...props} />;
}

function Grown({ budget, counter, name, forecast, zone }: Props & { counter: Counter }) {
  const now = currentMinute() + 60_000;
  const [isTable, setTable] = useState(false);
  const question = spendQuestion(budget, counter, now);
  const report = useReport(question);
  const bucket = (question.by?.[0] as { time?: Bucket } | undefined)?.time ?? "day";
  return (
    <Card
      title={name ? `Spend of ${name} in this window` : "Spend in this window"}
      isStale={report.isPlaceholderData}
      note={
        <Button kind="quiet" className={css["switch"]} aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {isTable ? "Show the chart" : "Show as a table"}
        </Button>
      }
    >
      <Loaded answer={report} height={284}>
        {({ data }) => {
          const growth = growthOf(data.rows as ReportRow[], now);
          return (
            <>
              {isTable ? (
                <Table growth={growth} bucket={bucket} zone={budget.time_zone} />
              ) : (
                <LineChart
                  title="Spend, added up"
                  starts={growth.starts}
                  values={growth.sums.map((sum) => (sum === null ? null : Number(sum)))}
                  text={COST.axis}
                  bucket={bucket}
                  zone={budget.time_zone}
                  isRunning
                  begun={growth.costs.length}
                  limit={{ value: Number(counter.limit_usd), title: `limit ${money(counter.limit_usd)}` }}
                />
              )}
              <p className={css["under"]} data-forecast>
                {forecastText(budget.period, forecast, counter, zone)}
              </p>
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

function Table({ growth, bucket, zone }: { growth: Growth; bucket: Bucket; zone: string }) {
  return (
    <div className={css["scroll"]}>
      <table className={grid["table"]} data-table="growth">
        <thead>
          <tr>
            <th>{bucket.replace("_", " ")}</th>
            <th className={grid["figure"]}>spent</th>
            <th className={grid["figure"]}>added up</th>
          </tr>
        </thead>
        <tbody>
          {growth.costs.map((cost, index) => (
            <tr key={growth.starts[index]}>
              <td>{bucketTitle(growth.starts[index] ?? "", bucket, zone)}</td>
              <td className={grid["figure"]} title={exactMoney(cost)}>
                {money(cost)}
              </td>
              <td className={grid["figure"]} title={exactMoney(growth.sums[index])}>
                {money(growth.sums[index])}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
