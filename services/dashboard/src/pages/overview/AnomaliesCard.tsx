/** What was unusual: who, by how much more or less than usual, since when, and who is behind it. */
import type { Anomalies } from "../../api/queries";
import { sum } from "../../format/decimal";
import { count, exactMoney, moneyChange, percent } from "../../format/format";
import { absolute, relative } from "../../format/time";
import { titleOf } from "../../state/filter";
import type { Chip } from "../../state/search";
import { useDrill, useView } from "../../state/view";
import { Card, Empty, LinkButton, Loaded, Tag } from "../../ui/ui";
import css from "./overview.module.css";

type Anomaly = Anomalies["anomalies"][number];
type Usual = Pick<Anomaly, "actual" | "expected" | "direction" | "measure">;
type Group = [name: string, value: string | null];

const SHOWN = 5;
const PROPERTY = "properties.";
const QUIET = "Nothing unusual in this range.";
const MEASURES: Record<string, string> = { cost_usd: "cost", requests: "requests", errors: "errors" };

interface Props {
  answer: { data: { data: Anomalies } | undefined; error: Error | null; refetch: () => unknown };
  zone: string;
  isStale: boolean;
  /** Whose requests these are, on a page that is about one of them. */
  subject?: readonly [name: string, value: string];
}

export function AnomaliesCard({ answer, zone, isStale, subject }: Props) {
  const { filter } = useView().search;
  return (
    <Card title="Unusual patterns" note="for the time of the week" isStale={isStale}>
      <Loaded answer={answer} height={140}>
        {({ data }) =>
          data.anomalies.length ? (
            <ul className={css["unusual"]} data-list="unusual">
              {patternsOf(data.anomalies)
                .filter(({ first }) => !isChosen(filter, first))
                .slice(0, SHOWN)
                .map((pattern) => (
                  <Line
                    key={JSON.stringify([pattern.first.group, pattern.first.since])}
                    {...pattern}
                    {...{ zone, subject }}
                  />
                ))}
            </ul>
          ) : (
            <Empty>{subject ? quiet(data) : `${QUIET} ${judged(data)}`}</Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

/** What is unusual of one group since one time: what weighs most, and its other figures. */
export interface Pattern {
  first: Anomaly;
  others: Anomaly[];
}

export function patternsOf(anomalies: readonly Anomaly[]): Pattern[] {
  const patterns = new Map<string, Pattern>();
  for (const anomaly of anomalies) {
    const key = JSON.stringify([anomaly.group, anomaly.since]);
    const known = patterns.get(key);
    if (known) known.others.push(anomaly);
    else patterns.set(key, { first: anomaly, others: [] });
  }
  return [...patterns.values()];
}

/** Whether all that is shown is of its group: what is unusual of that is unusual of all requests, which says it too. */
export function isChosen(chips: readonly Chip[] = [], anomaly: Pick<Anomaly, "group">): boolean {
  const group = groupOf(anomaly);
  return chips.some(([name, operator, value]) => operator === "equals" && name === group?.[0] && value === group?.[1]);
}

function Line({ first: anomaly, others, zone, subject }: Pattern & { zone: string; subject: Props["subject"] }) {
  const drill = useDrill();
  const group = groupOf(anomaly);
  const name = group ? (group[1] ?? `(no ${titleOf(group[0])})`) : (subject?.[1] ?? "all requests");
  const behind = driverOf(anomaly, group ?? subject);
  return (
    <li>
      <div className={css["row"]}>
        <span className={css["who"]}>
          {group ? <LinkButton onClick={() => drill(group[0], group[1])}>{name}</LinkButton> : <b>{name}</b>}{" "}
          <span className={css["soft"]}>{group ? titleOf(group[0]) : null}</span>
        </span>
        <b title={anomaly.unit === "USD" ? exactMoney(anomaly.excess) : undefined}>
          {[anomaly, ...others].map(excess).join(", ")}
        </b>
      </div>
      <p>
        <span>
          {besideUsual(anomaly)}, since{" "}
          <time dateTime={anomaly.since} title={absolute(anomaly.since, zone)}>
            {relative(anomaly.since, Date.now(), zone)}
          </time>
        </span>
        {anomaly.state === "ongoing" && <Tag kind="warn">goes on</Tag>}
        {anomaly.state === "new_normal" && <Tag>usual by now</Tag>}
        {behind && <span>{behind}</span>}
      </p>
    </li>
  );
}

/** The dimension by which it was found, as chips name it; undefined for all requests together. */
export function groupOf({ group }: Pick<Anomaly, "group">): Group | undefined {
  const [found] = Object.entries(group);
  if (!found) return undefined;
  const [name, value] = found;
  return [chipName(name), value === null || value === undefined ? null : String(value)];
}

function chipName(name: string): string {
  return name.startsWith(PROPERTY) ? `@${name.slice(PROPERTY.length)}` : name;
}

/** The part of another dimension with more than half of the excess: "mostly user user-789 (82 %)". The id of a key says nothing to people. */
export function driverOf(
  { drivers, excess }: Pick<Anomaly, "drivers" | "excess">,
  group: readonly [name: string, value: string | null] | undefined,
): string | null {
  for (const { by, parts } of drivers) {
    const [largest] = parts;
    const share = Number(largest?.excess ?? 0) / Number(excess);
    const name = chipName(by);
    if (name !== group?.[0] && name !== "key_id" && largest?.value && share > 0.5)
      return `mostly ${titleOf(name)} ${largest.value} (${percent(Math.min(1, share), 0)})`;
  }
  return null;
}

/** "3.4 times the usual cost"; of a fall "20 % of the usual cost". */
export function besideUsual({ actual, expected, direction, measure }: Usual): string {
  const name = MEASURES[measure] ?? measure;
  if (!Number(expected)) return `${name} where none is usual`;
  const ratio = Number(actual) / Number(expected);
  if (direction === "fall") return `${percent(ratio, 0)} of the usual ${name}`;
  return `${ratio < 10 ? ratio.toFixed(1) : count(ratio)} times the usual ${name}`;
}

export function excess({ unit, excess }: Pick<Anomaly, "unit" | "excess">): string {
  if (unit === "USD") return moneyChange(excess, null);
  const size = Number(excess);
  return `${size < 0 ? "−" : "+"}${count(Math.abs(size))} ${unit}`;
}

/** Of all requests of a page together: whether nothing is unusual, or nothing can be said. */
export function quiet({ coverage }: Pick<Anomalies, "coverage">): string {
  const [all] = coverage;
  if (all?.too_young) return "Too new to tell what is usual: that takes two weeks.";
  if (all?.too_sparse) return "Too few days with requests to tell what is usual.";
  if (all?.too_small) return `${QUIET} It has less than $5 and 50 requests.`;
  return QUIET;
}

function judged({ coverage }: Anomalies): string {
  const known = coverage.map((one) => one.judged);
  const all = coverage.map((one) => one.groups);
  return `${count(sum(known))} of ${count(sum(all))} users, models, features and the like have enough history to tell.`;
}
