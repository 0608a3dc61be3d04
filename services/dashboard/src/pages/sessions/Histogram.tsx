/** How many sessions cost how much; the same as a table behind it. */
import { useState } from "react";
import type { Distribution } from "../../api/sessions";
import { count, exactMoney, type Maybe, money, pluralize } from "../../format/format";
import groups from "../../ui/table.module.css";
import { classes } from "../../ui/ui";
import { type Column, columnsOf, placeOf } from "./histogram";
import css from "./histogram.module.css";

interface Props {
  data: Distribution;
  /** An amount that is shown where it stands. */
  mark?: Maybe;
  markName?: string;
}

export function Histogram({ data, mark, markName }: Props) {
  const [isTable, setTable] = useState(false);
  const columns = columnsOf(data);
  const at = placeOf(columns, mark);
  return (
    <div className={css["histogram"]}>
      {isTable ? <Table columns={columns} /> : <Columns {...{ columns, data, at }} markName={markName ?? ""} />}
      <button type="button" className={css["switch"]} onClick={() => setTable(!isTable)}>
        {isTable ? "Show the chart" : "Show as a table"}
      </button>
    </div>
  );
}

function Columns(props: { columns: Column[]; data: Distribution; at: number | undefined; markName: string }) {
  const { columns, data, at, markName } = props;
  const [first, last] = [columns[0], columns.at(-1)];
  const middle = columns[Math.floor(columns.length / 2)];
  return (
    <figure>
      <div
        className={css["columns"]}
        role="img"
        aria-label={`${pluralize(data.known, "session")} by cost, from ${money(first?.from)} to ${money(last?.to)}`}
      >
        {columns.map((column) => (
          <div key={String(column.from)} className={css["column"]} title={titleOf(column)}>
            <div
              className={classes(css["bar"], column.isOutliers && css["far"], column.count === 0 && css["none"])}
              style={{ height: `${column.height * 100}%` }}
            />
          </div>
        ))}
        {at !== undefined && (
          <div className={classes(css["mark"], at > 0.5 && css["flip"])} style={{ left: `${at * 100}%` }}>
            <span>{markName}</span>
          </div>
        )}
      </div>
      <figcaption className={css["axis"]}>
        <span>{money(first?.from)}</span>
        {columns.length > 4 && <span>{money(middle?.from)}</span>}
        <span className={last?.isOutliers ? css["farText"] : undefined}>
          {last?.isOutliers ? `outliers to ${money(last.to)}` : money(last?.to)}
        </span>
      </figcaption>
    </figure>
  );
}

function titleOf({ from, to, count: many, cost }: Column): string {
  return `${money(from)} – ${money(to)}: ${count(many)} ${many === 1 ? "session" : "sessions"}, ${money(cost)} together`;
}

function Table({ columns }: { columns: Column[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls by key
    <section className={css["scroll"]} tabIndex={0} aria-label="Sessions by cost">
      <table className={groups["table"]} data-table="distribution">
        <thead>
          <tr>
            <th>cost from</th>
            <th className={groups["figure"]}>to</th>
            <th className={groups["figure"]}>sessions</th>
            <th className={groups["figure"]}>together</th>
          </tr>
        </thead>
        <tbody>
          {columns.map((column) => (
            <tr key={String(column.from)}>
              <td title={exactMoney(column.from)}>{money(column.from)}</td>
              <td className={groups["figure"]} title={exactMoney(column.to)}>
                {money(column.to)}
              </td>
              <td className={groups["figure"]}>{count(column.count)}</td>
              <td className={groups["figure"]} title={exactMoney(column.cost)} data-cell="cost_usd">
                {money(column.cost)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
