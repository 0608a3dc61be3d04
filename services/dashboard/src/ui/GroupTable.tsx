/** Groups of a report by what they cost, with their share of it. A click goes into one. */
import type { Grouping, ReportRow } from "../api/queries";
import { count, type Maybe, percent } from "../format/format";
import { titleOf } from "../state/filter";
import css from "./group-table.module.css";
import grid from "./table.module.css";
import { Cost, classes, Empty, LinkButton } from "./ui";

interface Props {
  name: string;
  by: string;
  rows: readonly ReportRow[];
  total: Grouping["total"];
  onOpen: (value: string | null, row: ReportRow) => void;
  /** How a value reads, where it is not read as it is. */
  nameOf?: (row: ReportRow) => string;
}

export function GroupTable({ name, by, rows, total, onOpen, nameOf }: Props) {
  if (!rows.length) return <Empty>No {titleOf(by)} in this range.</Empty>;
  return (
    <table className={grid["table"]} data-table={name}>
      <thead>
        <tr>
          <th>{titleOf(by)}</th>
          <th className={grid["figure"]}>requests</th>
          <th className={grid["figure"]}>cost</th>
          <th className={grid["figure"]}>share</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const value = row.by[0] === null || row.by[0] === undefined ? null : String(row.by[0]);
          const shown = nameOf?.(row) ?? value ?? `(no ${titleOf(by)})`;
          return (
            <tr key={JSON.stringify(row.by)}>
              <td className={grid["name"]}>
                <LinkButton onClick={() => onOpen(value, row)} title={value ?? undefined}>
                  {shown}
                </LinkButton>
              </td>
              <td className={grid["figure"]}>{count(row.measures["requests"])}</td>
              <td className={grid["figure"]}>
                <Cost value={row.measures["cost_usd"]} unpriced={row.measures["unpriced_requests"]} />
              </td>
              <td className={classes(grid["figure"], grid["share"])}>
                <ShareBar part={row.measures["cost_usd"]} of={total["cost_usd"]} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** A share as a thin bar behind its figure. */
export function ShareBar({ part, of }: { part: Maybe; of: Maybe }) {
  if (part === null || part === undefined || !Number(of)) return <span>–</span>;
  const share = Number(part) / Number(of);
  return (
    <span className={css["bar"]}>
      <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width={Math.min(1, Math.max(0, share)) * 100} height="1" fill="var(--bar)" />
      </svg>
      <span>{percent(share, share < 0.01 ? 1 : 0)}</span>
    </span>
  );
}
