/** Of whom the response cache saves how much. */
import { useState } from "react";
import type { Grouping, ReportRow, useReport } from "../../api/queries";
import { count, percent } from "../../format/format";
import { useDrill } from "../../state/view";
import grid from "../../ui/table.module.css";
import { Card, Cost, classes, Empty, LinkButton, Loaded } from "../../ui/ui";
import { By } from "./By";
import css from "./cache.module.css";
import { BY } from "./questions";

export function SavedCard({ answer, isStale }: { answer: ReturnType<typeof useReport>; isStale: boolean }) {
  const [name, setName] = useState<string>(BY[0].name);
  const drill = useDrill();
  const at = BY.findIndex((one) => one.name === name);
  return (
    <Card title="Where it saves" isStale={isStale} note={<By value={name} onChange={setName} label="Savings by" />}>
      <Loaded answer={answer} height={300}>
        {({ data }) => {
          const grouping = data.breakdowns[at] as Grouping | undefined;
          const rows = (grouping?.rows ?? []) as ReportRow[];
          const rest = grouping?.truncated ? grouping.rest : null;
          if (!rows.length) return <Empty>No request allowed the response cache.</Empty>;
          return (
            <table className={classes(grid["table"], css["table"])} data-table="saved">
              <thead>
                <tr>
                  <th>{BY[at]?.title}</th>
                  <th className={grid["figure"]}>allowed</th>
                  <th className={grid["figure"]}>served</th>
                  <th className={grid["figure"]}>rate</th>
                  <th className={grid["figure"]}>saved</th>
                </tr>
              </thead>
              <tbody>
                {rows.map(({ by: [value], measures }) => (
                  <tr key={String(value)}>
                    <td className={grid["name"]}>
                      <LinkButton onClick={() => drill(name, value === null ? null : String(value))}>
                        {value === null || value === "" ? "none" : String(value)}
                      </LinkButton>
                    </td>
                    <td className={grid["figure"]}>{count(measures["cache_requests"])}</td>
                    <td className={grid["figure"]}>{count(measures["cache_hits"])}</td>
                    <td className={grid["figure"]}>{percent(measures["cache_hit_rate"], 0)}</td>
                    <td className={grid["figure"]}>
                      <Cost value={measures["cache_savings_usd"]} unpriced={measures["unpriced_cache_hits"]} />
                    </td>
                  </tr>
                ))}
              </tbody>
              <tfoot>
                {rest && (
                  <tr data-rest>
                    <td>rest</td>
                    <td className={grid["figure"]}>{count(rest["cache_requests"])}</td>
                    <td className={grid["figure"]}>{count(rest["cache_hits"])}</td>
                    <td className={grid["figure"]}>–</td>
                    <td className={grid["figure"]}>
                      <Cost value={rest["cache_savings_usd"]} unpriced={rest["unpriced_cache_hits"]} />
                    </td>
                  </tr>
                )}
                <tr className={css["strong"]}>
                  <td>Total</td>
                  <td className={grid["figure"]}>{count(data.total["cache_requests"])}</td>
                  <td className={grid["figure"]}>{count(data.total["cache_hits"])}</td>
                  <td className={grid["figure"]}>{percent(data.total["cache_hit_rate"], 0)}</td>
                  <td className={grid["figure"]}>
                    <Cost value={data.total["cache_savings_usd"]} unpriced={data.total["unpriced_cache_hits"]} />
                  </td>
                </tr>
              </tfoot>
            </table>
          );
        }}
      </Loaded>
    </Card>
  );
}
