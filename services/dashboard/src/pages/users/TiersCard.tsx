/** What each tier of users costs, what one user of it costs, and what stands against that. */
import type { Grouping, Report, ReportRow } from "../../api/queries";
import { count, exactMoney, type Maybe, money } from "../../format/format";
import { useDrill } from "../../state/view";
import { ShareBar } from "../../ui/GroupTable";
import groups from "../../ui/table.module.css";
import { Card, Cost, classes, LinkButton, Loaded } from "../../ui/ui";
import css from "./users.module.css";

interface Props {
  answer: { data: { data: Report } | undefined; error: Error | null; refetch: () => unknown };
  isStale: boolean;
}

export function TiersCard({ answer, isStale }: Props) {
  return (
    <Card title="User tiers" note="what one user of a tier costs" isStale={isStale} className={css["tiers"]}>
      <Loaded answer={answer} height={130}>
        {({ data }) => <Tiers data={data} />}
      </Loaded>
    </Card>
  );
}

function Tiers({ data }: { data: Report }) {
  const hasValue = data.total["value_usd"] !== null && data.total["value_usd"] !== undefined;
  const rows = data.rows as ReportRow[];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: where it is narrow it scrolls by key
    <section className={css["scroll"]} tabIndex={0} aria-label="User tiers, scrolled">
      <table className={classes(groups["table"], groups["stacked"], css["wide"])} data-table="tiers">
        <thead>
          <tr>
            <th>tier</th>
            {["users", "requests", "cost", "share", "average per user", "p95 per user"].map((title) => (
              <th key={title} className={groups["figure"]}>
                {title}
              </th>
            ))}
            {hasValue &&
              ["value", "margin", "return"].map((title) => (
                <th key={title} className={groups["figure"]}>
                  {title}
                </th>
              ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const tier = row.by[0] === null || row.by[0] === undefined ? null : String(row.by[0]);
            return (
              <Line
                key={tier ?? "\0"}
                name={<TierLink tier={tier} />}
                measures={row.measures}
                {...{ data, hasValue }}
                tier={tier}
              />
            );
          })}
        </tbody>
        <tfoot>
          <Line name="All" measures={data.total} {...{ data, hasValue }} isTotal />
        </tfoot>
      </table>
    </section>
  );
}

function TierLink({ tier }: { tier: string | null }) {
  const drill = useDrill();
  return <LinkButton onClick={() => drill("@UserTier", tier)}>{tier ?? "(no tier)"}</LinkButton>;
}

interface LineProps {
  name: React.ReactNode;
  measures: Grouping["total"];
  data: Report;
  hasValue: boolean;
  tier?: string | null;
  isTotal?: boolean;
}

function Line({ name, measures, data, hasValue, tier, isTotal }: LineProps) {
  const figure = groups["figure"];
  return (
    <tr className={isTotal ? css["total"] : undefined} data-tier={isTotal ? undefined : (tier ?? "")}>
      <td className={css["named"]}>{name}</td>
      <td className={figure} data-label="users">
        {count(measures["active_users"])}
      </td>
      <td className={figure} data-label="requests">
        {count(measures["requests"])}
      </td>
      <td className={figure} data-cell="cost_usd" data-label="cost">
        <Cost value={measures["cost_usd"]} unpriced={measures["unpriced_requests"]} />
      </td>
      <td className={classes(figure, groups["share"])} data-label={isTotal ? undefined : "share"}>
        {isTotal ? null : <ShareBar part={measures["cost_usd"]} of={data.total["cost_usd"]} />}
      </td>
      <td className={figure} data-cell="cost_per_user_usd" data-label="per user">
        <Amount value={measures["cost_per_user_usd"]} />
      </td>
      <td className={figure} data-label="p95 per user">
        <Amount value={measures["p95_cost_per_user_usd"]} />
      </td>
      {hasValue && (
        <>
          <td className={figure} data-label="value">
            <Amount value={measures["value_usd"]} />
          </td>
          <td className={figure} data-label="margin">
            <Amount value={measures["margin_usd"]} />
          </td>
          <td className={figure} data-label="return">
            {measures["return_ratio"] == null ? "–" : `${Number(measures["return_ratio"]).toFixed(1)}×`}
          </td>
        </>
      )}
    </tr>
  );
}

function Amount({ value }: { value: Maybe }) {
  return value === null || value === undefined ? "–" : <span title={exactMoney(value)}>{money(value)}</span>;
}
