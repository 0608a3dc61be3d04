/** What an alert watches, in one plain sentence: "Cost of Environment = production over 7 days". */
import type { Alert } from "../../api/alerts";
import { chipsOf, chipText, titleOf } from "../../state/filter";
import { metricOf } from "./metrics";

export type Watched = Pick<
  Alert,
  "metric" | "aggregation" | "percentile" | "condition" | "time_window" | "calendar" | "time_zone" | "by"
> & { filter?: unknown };

const MINUTE_MS = 60_000;
const UNITS = [
  ["day", 24 * 60 * MINUTE_MS],
  ["hour", 60 * MINUTE_MS],
  ["minute", MINUTE_MS],
  ["second", 1000],
] as const;

export function sentenceOf(alert: Watched): string {
  const parts = [figureText(alert), filterText(alert.filter), windowText(alert), groupsText(alert)];
  const text = parts.filter(Boolean).join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Every "highest cost of a request" is one of requests; sums and rates are what they are called. */
export function figureText({ metric, aggregation, percentile, condition }: Omit<Watched, "filter">): string {
  const { title, aggregations } = metricOf(metric);
  const ofOne = metricOf(metric).unit === "ms" ? title : `${title} of a request`;
  const figure =
    aggregation === "percentile"
      ? `p${percentile ?? 50} ${ofOne}`
      : aggregation === "avg"
        ? `average ${ofOne}`
        : aggregation === "min" || aggregation === "max"
          ? `${aggregation === "min" ? "lowest" : "highest"} ${ofOne}`
          : title;
  if (condition === "forecast") return `forecast of ${figure}`;
  return condition === "anomaly" ? `unusual ${aggregations.length === 1 ? title : figure}` : figure;
}

function filterText(filter: unknown): string {
  const chips = filter === undefined ? [] : chipsOf(filter);
  if (chips === undefined) return "of requests by a filter of its own";
  return chips.length ? `of ${chips.map(chipText).join(" and ")}` : "";
}

export function windowText({
  time_window,
  calendar,
  time_zone,
}: Pick<Watched, "time_window" | "calendar" | "time_zone">) {
  if (calendar) return `per calendar ${calendar} in ${time_zone.replaceAll("_", " ")}`;
  return `over ${durationText(Number(time_window))}`;
}

/** 7 days, 24 hours, 90 minutes: in the largest unit that fits twice, or once. */
export function durationText(ms: number): string {
  const fitting = UNITS.filter(([, length]) => ms >= length && ms % length === 0);
  const [name, length] = fitting.find(([, size]) => ms >= 2 * size) ?? fitting[0] ?? (["second", 1000] as const);
  const many = ms / length;
  return `${many} ${name}${many === 1 ? "" : "s"}`;
}

function groupsText({ by }: Pick<Watched, "by">): string {
  const names = by.map(dimensionOf).map(titleOf);
  return names.length ? `for each ${names.join(" and ")}` : "";
}

/** `@Feature` of a property, else the name of a column. */
export function dimensionOf(by: Readonly<Record<string, string>>): string {
  return by["property"] === undefined ? (by["column"] ?? "") : `@${by["property"]}`;
}
