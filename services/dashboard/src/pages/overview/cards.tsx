/** Cards below the chart: users, what moved, and the cache. */
import type { ReactNode } from "react";
import type { Changes, Grouping, Report, ReportRow } from "../../api/queries";
import { count, exactMoney, money, moneyChange, percent } from "../../format/format";
import { titleOf } from "../../state/filter";
import { COMPARE_TITLES } from "../../state/search";
import { useDrill, useView } from "../../state/view";
import { ShareBar } from "../../ui/GroupTable";
import grid from "../../ui/table.module.css";
import { Card, Cost, classes, Empty, LinkButton, Loaded, Tag } from "../../ui/ui";
import css from "./overview.module.css";

interface Answer<Data> {
  data: Data | undefined;
  error: Error | null;
  refetch: () => unknown;
}

interface CardProps<Data> {
  answer: Answer<Data>;
  isStale?: boolean;
  className?: string | undefined;
}

export function UsersCard({ answer, isStale, className }: CardProps<Grouping>) {
  const drill = useDrill();
  return (
    <Card title="Top users" className={className} isStale={isStale ?? false} note="by cost">
      <Loaded answer={answer} height={300}>
        {(grouping) => (
          <table className={grid["table"]} data-table="users">
            <thead>
              <tr>
                <th>user</th>
                <th>tier</th>
                <th className={grid["figure"]}>requests</th>
                <th className={grid["figure"]}>cost</th>
                <th className={classes(grid["figure"], css["optional"])}>share</th>
              </tr>
            </thead>
            <tbody>
              {(grouping.rows as ReportRow[]).map((row) => {
                const [user, tier] = row.by.map((value) =>
                  value === null || value === undefined ? null : String(value),
                );
                return (
                  <tr key={`${user}\0${tier}`}>
                    <td className={grid["name"]}>
                      <LinkButton onClick={() => drill("user_id", user ?? "")}>{user || "(no user)"}</LinkButton>
                    </td>
                    <td>{tier ? <Tag>{tier}</Tag> : "–"}</td>
                    <td className={grid["figure"]}>{count(row.measures["requests"])}</td>
                    <td className={grid["figure"]}>
                      <Cost value={row.measures["cost_usd"]} unpriced={row.measures["unpriced_requests"]} />
                    </td>
                    <td className={classes(grid["figure"], grid["share"], css["optional"])}>
                      <ShareBar part={row.measures["cost_usd"]} of={grouping.total["cost_usd"]} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        )}
      </Loaded>
    </Card>
  );
}

const REASONS = [
  ["volume_usd", "volume"],
  ["model_mix_usd", "other models"],
  ["tokens_usd", "tokens per request"],
  ["cache_usd", "caches"],
  ["price_usd", "prices"],
  ["coverage_usd", "became known"],
] as const;

export function ChangesCard({ answer, isStale, by, className }: CardProps<{ data: Changes }> & { by: string }) {
  const drill = useDrill();
  const { compare } = useView();
  return (
    <Card
      title="What moved"
      className={className}
      isStale={isStale ?? false}
      note={`vs ${COMPARE_TITLES[compare]}, and why`}
    >
      <Loaded answer={answer} height={220}>
        {({ data }) =>
          data.rows.length ? (
            <table className={classes(grid["table"], css["moved"])} data-table="changes">
              <thead>
                <tr>
                  <th>{titleOf(by)}</th>
                  <th className={grid["figure"]}>change</th>
                  <th>most of it by</th>
                </tr>
              </thead>
              <tbody>
                {data.rows.map((row) => (
                  <tr key={String(row.by[0])}>
                    <td className={grid["name"]}>
                      <LinkButton
                        onClick={() =>
                          drill(by, row.by[0] === null || row.by[0] === undefined ? null : String(row.by[0]))
                        }
                      >
                        {String(row.by[0] || `(no ${titleOf(by)})`)}
                      </LinkButton>
                    </td>
                    <td className={grid["figure"]}>
                      <Moved of={row} presence={row.presence} />
                    </td>
                    <td>
                      <Reasons reasons={row.reasons} />
                    </td>
                  </tr>
                ))}
                {data.rest && (
                  <tr className={css["soft"]} data-rest>
                    <td>rest</td>
                    <td className={grid["figure"]}>
                      <Moved of={data.rest} />
                    </td>
                    <td>
                      <Reasons reasons={data.rest.reasons} />
                    </td>
                  </tr>
                )}
              </tbody>
              <tfoot>
                <tr className={css["strong"]}>
                  <td>Total</td>
                  <td className={grid["figure"]}>
                    <Moved of={data.total} />
                  </td>
                  <td>
                    <Reasons reasons={data.total.reasons} />
                  </td>
                </tr>
              </tfoot>
            </table>
          ) : (
            <Empty>Nothing to compare.</Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

/** By how much; of what is unknown in one of the periods that is unknown too. */
function Moved({ of, presence }: { of: Difference; presence?: string }) {
  if (isUnknown(of)) return <Cost value={null} />;
  const text = moneyChange(of.difference_usd, of.relative);
  return (
    <span title={exactMoney(of.difference_usd)}>
      {text}
      {(presence === "new" || presence === "gone") && `, ${presence}`}
    </span>
  );
}

type Difference = Pick<Changes["total"], "before" | "after" | "difference_usd" | "relative">;

/** Whether of a period with requests no cost is known: nothing can be said of the difference then. */
export function isUnknown({ before, after }: Pick<Difference, "before" | "after">): boolean {
  return [before, after].some(
    ({ cost_usd, unpriced_requests }) => Number(unpriced_requests) > 0 && Number(cost_usd ?? 0) === 0,
  );
}

/** The two largest of the parts that make up a difference, to the last digit. */
function Reasons({ reasons }: { reasons: Changes["total"]["reasons"] }) {
  const parts = REASONS.map(([field, name]) => ({ name, amount: reasons[field] }))
    .filter(({ amount }) => Math.abs(Number(amount)) >= 0.005)
    .sort((left, right) => Math.abs(Number(right.amount)) - Math.abs(Number(left.amount)));
  return (
    <span className={css["reasons"]} title={parts.map(({ name, amount }) => `${name} ${money(amount)}`).join("\n")}>
      {parts.slice(0, 2).map(({ name, amount }) => (
        <Tag key={name}>
          {name} {moneyChange(amount, null)}
        </Tag>
      ))}
    </span>
  );
}

export function CacheCard({ answer, isStale, className }: CardProps<{ data: Report }>) {
  return (
    <Card title="Response cache" className={className} isStale={isStale ?? false}>
      <Loaded answer={answer} height={140}>
        {({ data: { total } }) => {
          const rate = total["cache_hit_rate"];
          if (!Number(total["cache_requests"]))
            return <Empty>No request in this range allowed a response from the cache.</Empty>;
          return (
            <>
              <div className={css["row"]}>
                <span className={css["big"]}>{percent(rate, 0)}</span>
                <span className={css["soft"]}>hit rate</span>
              </div>
              <svg className={css["meter"]} viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
                <rect width={Number(rate ?? 0) * 100} height="1" fill="var(--accent)" />
              </svg>
              <dl className={css["pair"]}>
                <Pair name="Saved">
                  <Cost value={total["cache_savings_usd"]} />
                </Pair>
                <Pair name="Hits">
                  {count(total["cache_hits"])} of {count(total["cache_requests"])}
                </Pair>
              </dl>
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}

function Pair({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
