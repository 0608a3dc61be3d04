/** Above the list: what a session of each name costs, how that is distributed, and over which steps. */
import type { Grouping, Report, ReportRow } from "../../api/queries";
import type { Distribution } from "../../api/sessions";
import { count, exactMoney, type Maybe, money, moneyChange, pluralize } from "../../format/format";
import { absolute } from "../../format/time";
import { useDrill, useView } from "../../state/view";
import { GroupTable } from "../../ui/GroupTable";
import groups from "../../ui/table.module.css";
import { Card, Cost, classes, Empty, LinkButton, Loaded } from "../../ui/ui";
import { Histogram } from "./Histogram";
import css from "./sessions.module.css";

interface Answer<Data> {
  answer: { data: Data | undefined; error: Error | null; refetch: () => unknown };
  isStale: boolean;
}

const figure = groups["figure"];

export function NamesCard({ answer, isStale }: Answer<{ data: Report }>) {
  return (
    <Card title="Cost per session" note="by the name of the session" isStale={isStale}>
      <Loaded answer={answer} height={130}>
        {({ data }) => <Names data={data} />}
      </Loaded>
    </Card>
  );
}

const COLUMNS = ["sessions", "average", "median", "p95", "highest", "steps", "total"] as const;

function Names({ data }: { data: Report }) {
  const drill = useDrill();
  const { compare } = useView();
  const isCompared = compare !== "none";
  const rows = (data.rows as ReportRow[]).filter(({ measures }) => Number(measures["requests"]) > 0);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: on a phone it scrolls by key
    <section className={css["scroll"]} tabIndex={0} aria-label="Names of sessions">
      <table className={classes(groups["table"], css["wide"])} data-table="names">
        <thead>
          <tr>
            <th>name</th>
            {COLUMNS.map((title) => (
              <th key={title} className={figure}>
                {title}
              </th>
            ))}
            {isCompared && <th className={figure}>change of the total</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const name = row.by[0] === null || row.by[0] === undefined ? null : String(row.by[0]);
            return (
              <tr key={name ?? "\0"} data-name={name ?? ""}>
                <td className={css["named"]}>
                  <LinkButton onClick={() => drill("session_name", name)}>{name ?? "(no name)"}</LinkButton>
                </td>
                <Figures measures={row.measures} />
                {isCompared && <td className={figure}>{changeOf(row)}</td>}
              </tr>
            );
          })}
        </tbody>
        {rows.length > 1 && (
          <tfoot>
            <tr className={css["total"]}>
              <td>All</td>
              <Figures measures={data.total} />
              {isCompared && <td />}
            </tr>
          </tfoot>
        )}
      </table>
    </section>
  );
}

function changeOf({ compared }: ReportRow): string {
  if (compared?.presence === "new") return "new";
  const change = compared?.change["cost_usd"];
  return change ? moneyChange(change.absolute as Maybe, change.relative) : "–";
}

function Figures({ measures }: { measures: Grouping["total"] }) {
  const steps = measures["requests_per_session"];
  return (
    <>
      <td className={figure}>{count(measures["sessions"])}</td>
      {["cost_per_session_usd", "p50_cost_per_session_usd", "p95_cost_per_session_usd", "max_cost_per_session_usd"].map(
        (measure, index) => (
          <td key={measure} className={classes(figure, index === 0 && css["hero"])} data-cell={measure}>
            <Cost value={measures[measure]} />
          </td>
        ),
      )}
      <td className={figure}>{steps == null ? "–" : Number(Number(steps).toFixed(1))}</td>
      <td className={figure} data-cell="cost_usd">
        <Cost value={measures["cost_usd"]} unpriced={measures["unpriced_requests"]} />
      </td>
    </>
  );
}

export function DistributionCard({ answer, isStale }: Answer<{ data: Distribution }>) {
  return (
    <Card
      title="What a session costs"
      note={answer.data && pluralize(answer.data.data.known, "session")}
      isStale={isStale}
    >
      <Loaded answer={answer} height={330}>
        {({ data }) =>
          data.bars.length ? (
            <>
              <Histogram data={data} />
              <Outliers data={data} />
            </>
          ) : (
            <Empty>The cost of no session is known.</Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

/** Those that are worth a look, the dearest first. */
function Outliers({ data }: { data: Distribution }) {
  const drill = useDrill();
  const { zone } = useView();
  if (!Number(data.outlier_count))
    return (
      <p className={css["soft"]}>
        {data.outlier_above_usd === null ? "Too few to tell what is unusual." : "None is far from the others."}
      </p>
    );
  return (
    <div className={css["outliers"]}>
      <h3>
        {count(data.outlier_count)} cost more than{" "}
        <span title={exactMoney(data.outlier_above_usd)}>{money(data.outlier_above_usd)}</span>
        <span className={css["soft"]}> · {money(data.outlier_cost_usd)} together</span>
      </h3>
      <ul data-list="outliers">
        {data.outliers.slice(0, 4).map((one) => (
          <li key={`${one.id}\0${one.name}`}>
            <LinkButton
              onClick={() => drill("session_id", one.id, one.name ? [["session_name", "equals", one.name]] : [])}
              title={one.id}
            >
              {one.id}
            </LinkButton>
            <span className={css["soft"]} title={`${absolute(one.first_request_at, zone)} (${zone})`}>
              {pluralize(one.requests, "step")}
            </span>
            <b>
              <Cost value={one.cost_usd} />
            </b>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function StepsCard({ answer, isStale }: Answer<Grouping>) {
  const drill = useDrill();
  return (
    <Card title="Which steps cost it" note="by path" isStale={isStale}>
      <Loaded answer={answer} height={330}>
        {(grouping) => (
          <GroupTable
            name="steps"
            by="session_path"
            rows={(grouping.rows as ReportRow[]).filter(({ measures }) => Number(measures["requests"]) > 0)}
            total={grouping.total}
            onOpen={(path) => drill("session_path", path)}
          />
        )}
      </Loaded>
    </Card>
  );
}
