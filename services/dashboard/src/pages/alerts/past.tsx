/** What a back-test found: a chart of the past with marks where people would have been notified, and those as a table. */
import type { Backtest } from "../../api/alerts";
import { ThresholdChart } from "../../chart/ThresholdChart";
import { pluralize } from "../../format/format";
import { absolute, shortly } from "../../format/time";
import { titleOf } from "../../state/filter";
import { Sheet } from "../../ui/Sheet";
import { classes, Empty } from "../../ui/ui";
import css from "./alerts.module.css";
import { roundText, type Unit, valueText } from "./metrics";
import { StateMark, StateShape } from "./State";
import type { Mark } from "./standing";

type Event = Backtest["events"][number];

// Among more of them, ends only hide beginnings.
const MOST_RESOLVED = 24;

const KINDS: Partial<Record<Event["kind"], string>> = {
  firing: "fires",
  escalated: "rises to",
  reminder: "still fires",
  resolved: "resolved",
  no_data: "no data",
  summary: "many groups at once",
};

/** "would have fired 3 times in the last 30 days" */
export function firedText({ fired }: Pick<Backtest, "fired">, days: number): string {
  const times = Number(fired);
  const often = times === 0 ? "not have fired" : times === 1 ? "have fired once" : `have fired ${times} times`;
  return `would ${often} in the last ${pluralize(days, "day")}`;
}

interface Props {
  backtest: Backtest;
  marks: readonly Mark[];
  unit: Unit;
  title: string;
  zone: string;
}

export function PastChart({ backtest, marks, unit, title, zone }: Props) {
  const points = backtest.values.map(({ at, value }) => ({
    at: Date.parse(at),
    value: value === null ? null : Number(value),
  }));
  const isSparse = backtest.events.length <= MOST_RESOLVED;
  const happenings = backtest.events
    .filter(({ kind }) => kind !== "reminder" && (kind !== "resolved" || isSparse))
    .map((event) => ({
      at: Date.parse(event.at),
      value: event.value === null ? null : Number(event.value),
      shape: <StateShape state={event.level} />,
      text: [KINDS[event.kind] ?? event.kind, groupText(event)].filter(Boolean).join(": "),
    }));
  return (
    <ThresholdChart
      title={title}
      start={Date.parse(backtest.start)}
      end={Date.parse(backtest.end)}
      points={points}
      thresholds={thresholdsOf(marks, unit)}
      happenings={happenings}
      text={(value) => roundText(value, unit)}
      zone={zone}
    />
  );
}

export function thresholdsOf(marks: readonly Mark[], unit: Unit) {
  return marks.map(({ value, level }) => ({ value, level, text: roundText(value, unit) }));
}

export function groupText({ group, groups }: Pick<Event, "group"> & { groups?: Event["groups"] }): string {
  if (Number(groups ?? 0)) return pluralize(groups, "group");
  const entries = Object.entries(group);
  if (entries.length === 1) return entries[0]?.[1] || `no ${titleOf(entries[0]?.[0] ?? "")}`;
  return entries.map(([name, value]) => `${titleOf(name)} ${value || "none"}`).join(", ");
}

interface TableProps {
  events: readonly Event[];
  unit: Unit;
  zone: string;
  most?: number;
}

export function EventsTable({ events, unit, zone, most = 200 }: TableProps) {
  if (!events.length) return <Empty>No notice would have been sent.</Empty>;
  const isGrouped = events.some((event) => groupText(event));
  const latest = [...events].reverse().slice(0, most);
  const heads = [
    { title: "when" },
    { title: "what" },
    ...(isGrouped ? [{ title: "of" }] : []),
    { title: "number", isFigure: true },
    { title: "threshold", isFigure: true, className: css["optional"] },
  ];
  return (
    <Sheet label="Notices it would have sent" name="past-notices" heads={heads}>
      <tbody>
        {latest.map((event, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: several may happen at once, and none ever moves
          <tr key={index}>
            <td title={absolute(event.at, zone)}>{shortly(event.at, zone)}</td>
            <td>
              {event.kind === "resolved" ? "resolved" : <StateMark state={event.level} />}{" "}
              {event.kind === "escalated" && (
                <span className={classes(css["soft"], css["optional"])}>a further step</span>
              )}
            </td>
            {isGrouped && <td>{groupText(event)}</td>}
            <td className={css["figure"]}>{event.value === null ? "–" : valueText(event.value, unit)}</td>
            <td className={classes(css["figure"], css["optional"])}>
              {event.threshold === null ? "–" : roundText(event.threshold, unit)}
            </td>
          </tr>
        ))}
      </tbody>
    </Sheet>
  );
}
