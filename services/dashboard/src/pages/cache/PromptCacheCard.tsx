/** Prompt caches of providers: what was read and written, what that saved, and what broken ones cost, by whom. */
import type { Sealed } from "../../api/client";
import type { Answer, PromptCaches } from "../../api/savings";
import { compactCount, exactMoney, money, percent } from "../../format/format";
import { useDrill } from "../../state/view";
import grid from "../../ui/table.module.css";
import { Card, classes, Empty, LinkButton, Loaded } from "../../ui/ui";
import { Assumptions } from "./Assumptions";
import { By } from "./By";
import css from "./cache.module.css";
import { lossText } from "./figures";
import type { BY } from "./questions";

interface Props {
  answer: Answer<Sealed<PromptCaches>>;
  by: (typeof BY)[number];
  onBy: (name: string) => void;
}

export function PromptCacheCard({ answer, by, onBy }: Props) {
  const drill = useDrill();
  return (
    <Card
      title="Prompt caches of providers"
      isStale={answer.isPlaceholderData}
      note={<By value={by.name} onChange={onBy} label="Losses by" />}
    >
      <Loaded answer={answer} height={360}>
        {({ data }) => (
          <>
            <Totals data={data} />
            {data.rows.length > 0 ? (
              <table className={classes(grid["table"], css["table"])} data-table="losses">
                <thead>
                  <tr>
                    <th>{by.title}</th>
                    <th className={grid["figure"]}>read</th>
                    <th className={grid["figure"]}>saved</th>
                    <th className={grid["figure"]}>lost</th>
                  </tr>
                </thead>
                <tbody>
                  {data.rows.map((row) => {
                    const value = row.by[0];
                    return (
                      <tr key={String(value)}>
                        <td className={grid["name"]}>
                          <LinkButton onClick={() => drill(by.name, value === null ? null : String(value))}>
                            {value === null || value === "" ? "none" : String(value)}
                          </LinkButton>
                        </td>
                        <td className={grid["figure"]}>{percent(row.read_share, 0)}</td>
                        <td className={grid["figure"]} title={exactMoney(row.read_saved_usd)}>
                          {money(row.read_saved_usd)}
                        </td>
                        <td className={grid["figure"]} title={`likely up to ${exactMoney(row.lost.likely_usd)}`}>
                          {lossText(row.lost)}
                        </td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            ) : (
              <Empty>No prompt was long enough for a provider's cache.</Empty>
            )}
            <Assumptions texts={data.assumptions} />
          </>
        )}
      </Loaded>
    </Card>
  );
}

function Totals({ data: { total } }: { data: PromptCaches }) {
  const facts: [string, string, string?][] = [
    [
      "read",
      `${compactCount(total.cache_read_tokens)} tokens${total.read_share === null ? "" : `, ${percent(total.read_share, 0)}`}`,
    ],
    ["written", `${compactCount(total.cache_write_tokens)} tokens`],
    ["saved by reading", money(total.read_saved_usd), exactMoney(total.read_saved_usd)],
    ["paid more for writing", money(total.write_extra_usd), exactMoney(total.write_extra_usd)],
    ["written, never read", lossText(total.unread_writes)],
    ["paid in full again", lossText(total.repaid_input)],
  ];
  return (
    <dl className={css["facts"]}>
      {facts.map(([name, value, exact]) => (
        <div key={name} data-fact={name}>
          <dt>{name}</dt>
          <dd title={exact}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
