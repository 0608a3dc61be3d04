/** The figures of a chart as a table: a line for each bucket, with its total. */
import { exactMoney, pluralize } from "../format/format";
import { type Bucket, bucketTitle } from "../format/time";
import css from "./chart.module.css";
import type { Bars, ChartMeasure } from "./series";

interface Props {
  bars: Bars;
  reading: ChartMeasure;
  bucket: Bucket;
  zone: string;
  nameOf: (value: string | null, key: string) => string;
}

export function BarsTable({ bars, reading, bucket, zone, nameOf }: Props) {
  const isCost = reading.measure === "cost_usd";
  const hasUnknown = isCost && bars.unknown.some(Boolean);
  return (
    <details className={css["behind"]}>
      <summary>The same as a table</summary>
      <div className={css["scroll"]}>
        <table data-table="bars">
          <thead>
            <tr>
              <th scope="col">{bucket.replace("_", " ")}</th>
              {bars.series.map(({ key, value }) => (
                <th key={key} scope="col">
                  {nameOf(value, key)}
                </th>
              ))}
              {hasUnknown && <th scope="col">unknown</th>}
              <th scope="col">total</th>
            </tr>
          </thead>
          <tbody>
            {bars.starts.map((start, index) => (
              <tr key={start}>
                <th scope="row">{bucketTitle(start, bucket, zone)}</th>
                {bars.series.map(({ key, figures }) => (
                  <td key={key}>{figures[index] === null ? "" : reading.text(figures[index])}</td>
                ))}
                {hasUnknown && <td>{bars.unknown[index] ? pluralize(bars.unknown[index], "request") : ""}</td>}
                <td title={isCost ? exactMoney(bars.totals[index]) : undefined}>{reading.text(bars.totals[index])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
