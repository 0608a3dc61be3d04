/** Bars over time, stacked by group. Unknown spend is a hatched cap: it is there, and its height says nothing. */
import { type PointerEvent as ReactPointerEvent, useEffect, useRef, useState } from "react";
import { pluralize } from "../format/format";
import { type Bucket, bucketLabel, bucketTitle, changesClocks } from "../format/time";
import { useTheme } from "../theme/theme";
import { classes, Skeleton } from "../ui/ui";
import css from "./chart.module.css";
import { ALL, type Bars, type ChartMeasure, capOf, highestOf, partAt, REST, spanOf } from "./series";

type Echarts = typeof import("./engine")["echarts"];
type Chart = ReturnType<Echarts["init"]>;

const HEIGHT = 300;
const TOP = 14; // of the bars

const SOON_MS = 100;

/** Charts come after the tables, and are on their way while the figures are. */
export function usePreparedCharts(): void {
  useEffect(() => {
    const timer = window.setTimeout(() => void import("./engine"), SOON_MS);
    return () => window.clearTimeout(timer);
  }, []);
}

interface Props {
  bars: Bars;
  reading: ChartMeasure;
  bucket: Bucket;
  zone: string;
  isRunning: boolean;
  nameOf: (value: string | null, key: string) => string;
  onPick: (key: string, value: string | null) => void;
  onZoom: (from: string, to: string) => void;
  /** A click on what is hatched. */
  onUnknown?: () => void;
}

export function StackedBars(props: Props) {
  const { bars, reading, bucket, zone, isRunning, nameOf, onPick, onZoom, onUnknown } = props;
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart>(undefined);
  const [engine, setEngine] = useState<Echarts>();
  const [at, setAt] = useState<number>();
  const [dragFrom, setDragFrom] = useState<number>();
  const theme = useTheme();

  useEffect(() => {
    let isHere = true;
    void import("./engine").then((module) => isHere && setEngine(() => module.echarts));
    return () => {
      isHere = false;
    };
  }, []);

  useEffect(() => {
    if (!engine || !place.current) return;
    const made = engine.init(place.current, null, { height: HEIGHT });
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(place.current);
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = undefined;
    };
  }, [engine]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme is read from the custom properties
  useEffect(() => {
    chart.current?.setOption(optionsOf({ bars, reading, bucket, zone, isRunning }), { notMerge: true });
  }, [engine, bars, reading, bucket, zone, isRunning, theme]);

  function indexAt(event: ReactPointerEvent): number | undefined {
    const box = place.current?.getBoundingClientRect();
    if (!box || !chart.current) return undefined;
    const [index] = chart.current.convertFromPixel({ gridIndex: 0 }, [
      event.clientX - box.left,
      event.clientY - box.top,
    ]);
    return index === undefined ? undefined : Math.min(bars.starts.length - 1, Math.max(0, Math.round(index)));
  }

  /** Where the bars from `first` to `last` stand, in pixels of the chart. */
  function bandOf(first: number, last: number): { left: number; width: number; height: number } | undefined {
    const middleOf = (index: number) => chart.current?.convertToPixel({ xAxisIndex: 0 }, index) ?? Number.NaN;
    const [left, right, pitch] = [middleOf(first), middleOf(last), middleOf(1) - middleOf(0)];
    const bottom = chart.current?.convertToPixel({ yAxisIndex: 0 }, 0) ?? 0;
    return pitch > 0 ? { left: left - pitch / 2, width: right - left + pitch, height: bottom - TOP } : undefined;
  }

  function release(event: ReactPointerEvent) {
    const index = indexAt(event);
    if (index === undefined || dragFrom === undefined) return;
    const [first, last] = [Math.min(index, dragFrom), Math.max(index, dragFrom)];
    setDragFrom(undefined);
    if (first !== last) return onZoom(bars.starts[first] ?? "", bars.starts[last + 1] ?? "");
    if (!reading.adds) return;
    const box = place.current?.getBoundingClientRect();
    const height = chart.current?.convertFromPixel({ gridIndex: 0 }, [
      event.clientX - (box?.left ?? 0),
      event.clientY - (box?.top ?? 0),
    ])[1];
    const part = height === undefined ? undefined : partAt(bars, index, height);
    if (part === "unknown") onUnknown?.();
    else if (part && part.key !== REST && part.key !== ALL) onPick(part.key, part.value);
  }

  const band = at === undefined ? undefined : bandOf(Math.min(at, dragFrom ?? at), Math.max(at, dragFrom ?? at));
  return (
    <figure className={css["chart"]}>
      {band && <div className={css["band"]} style={band} data-band="" aria-hidden="true" />}
      {!engine && <Skeleton height={HEIGHT} />}
      <div
        ref={place}
        className={classes(css["canvas"], !engine && css["absent"])}
        role="img"
        aria-label={`${reading.title} over time, ${bars.starts.length} buckets; the table beside it has the same figures`}
        onPointerMove={(event) => setAt(indexAt(event))}
        onPointerLeave={() => {
          setAt(undefined);
          setDragFrom(undefined);
        }}
        onPointerDown={(event) => setDragFrom(indexAt(event))}
        onPointerUp={release}
      />
      {bucket === "day" && <ClockNote starts={bars.starts} zone={zone} />}
      {at !== undefined && <Tooltip {...{ bars, reading, bucket, zone, nameOf, isRunning }} at={at} from={dragFrom} />}
    </figure>
  );
}

/** Days on which clocks are set are longer or shorter than the others. */
function ClockNote({ starts, zone }: { starts: readonly string[]; zone: string }) {
  const changed = starts.flatMap((start, index) => {
    const next = starts[index + 1];
    if (!next || !changesClocks(start, next)) return [];
    return `${bucketLabel(start, "day", zone)} has ${(Date.parse(next) - Date.parse(start)) / 3_600_000} hours`;
  });
  return changed.length ? (
    <figcaption className={css["clocks"]}>Clocks are set: {changed.join(", ")}.</figcaption>
  ) : null;
}

type TooltipProps = Pick<Props, "bars" | "reading" | "bucket" | "zone" | "nameOf" | "isRunning"> & {
  at: number;
  from: number | undefined;
};

/** All series at that time, or in all that is dragged over, the largest first, with their total. */
function Tooltip({ bars, reading, bucket, zone, nameOf, isRunning, at, from }: TooltipProps) {
  const start = bars.starts[at];
  if (start === undefined) return null;
  const [first, last] =
    reading.adds && from !== undefined ? [Math.min(from, at), Math.max(from, at)] : ([at, at] as const);
  const { parts, total, unknown } = spanOf(bars, first, last);
  const titleAt = (index: number) => bucketTitle(bars.starts[index] ?? start, bucket, zone);
  const next = bars.starts[at + 1];
  const side = at > bars.starts.length / 2 ? css["left"] : css["right"];
  return (
    <div className={classes(css["tooltip"], side)} data-tooltip="" aria-hidden="true">
      <strong>
        {first === last ? titleAt(at) : `${titleAt(first)} – ${titleAt(last)}`}
        {last === bars.starts.length - 1 && isRunning && " · so far"}
        {first === last && next && bucket === "day" && changesClocks(start, next) && " · clocks are set"}
      </strong>
      <dl>
        {parts.map(({ series: one, figure }) => [
          <dt key={`${one.key}-name`}>
            <i className={css[`swatch${one.colour}`]} />
            {nameOf(one.value, one.key)}
          </dt>,
          <dd key={one.key}>{reading.text(figure)}</dd>,
        ])}
        {unknown > 0 &&
          reading.measure === "cost_usd" && [
            <dt key="unknown-name">
              <i className={css["swatchUnknown"]} />
              unknown
            </dt>,
            <dd key="unknown">{pluralize(unknown, "request")}</dd>,
          ]}
        <dt className={css["total"]}>{reading.adds ? "Total" : "All together"}</dt>
        <dd className={css["total"]}>{reading.text(total)}</dd>
      </dl>
    </div>
  );
}

function optionsOf({
  bars,
  reading,
  bucket,
  zone,
  isRunning,
}: Pick<Props, "bars" | "reading" | "bucket" | "zone" | "isRunning">) {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const font = { fontFamily: token("sans"), fontSize: 12, color: token("text-soft") };
  const highest = highestOf(bars);
  const last = bars.starts.length - 1;
  const hasUnknown = reading.measure === "cost_usd" && bars.unknown.some((requests) => requests > 0);
  const stacked = bars.series.map((one, order) => ({
    type: "bar" as const,
    stack: "all",
    barCategoryGap: "22%",
    barMaxWidth: 56,
    silent: true,
    animationDuration: 160,
    itemStyle: { color: token(one.colour ? `series-${one.colour}` : "series-rest") },
    data: one.figures.map((figure, index) => ({
      value: figure === null ? null : Number(figure),
      itemStyle: {
        opacity: index === last && isRunning ? 0.55 : 1,
        borderRadius: order === bars.series.length - 1 && !hasUnknown ? [3, 3, 0, 0] : 0,
      },
    })),
  }));
  const lines = bars.series.map((one) => ({
    type: "line" as const,
    silent: true,
    animationDuration: 160,
    showSymbol: bars.starts.length < 40,
    symbolSize: 5,
    connectNulls: false, // gaps are gaps
    lineStyle: { width: 2 },
    itemStyle: { color: token(one.colour ? `series-${one.colour}` : "series-rest") },
    data: one.figures.map((figure) => (figure === null ? null : Number(figure))),
  }));
  const cap = {
    type: "bar" as const,
    stack: "all",
    silent: true,
    animationDuration: 160,
    itemStyle: {
      color: token("card"),
      borderColor: token("amber"),
      borderWidth: 1,
      decal: { symbol: "rect", color: token("amber"), dashArrayX: [1, 0], dashArrayY: [2, 3], rotation: -Math.PI / 4 },
    },
    data: bars.unknown.map((requests) => (requests > 0 ? capOf(bars) : null)),
  };
  return {
    animation: !window.matchMedia("(prefers-reduced-motion: reduce)").matches,
    grid: { left: 4, right: 6, top: TOP, bottom: 4, containLabel: true },
    xAxis: {
      type: "category" as const,
      data: bars.starts.map((start) => bucketLabel(start, bucket, zone)),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: token("line-strong") } },
      axisLabel: { ...font, hideOverlap: true, margin: 10 },
    },
    yAxis: {
      type: "value" as const,
      min: 0,
      ...(highest ? {} : { max: 1 }), // nothing but unknown has no scale
      splitNumber: 4,
      axisLabel: {
        ...font,
        formatter: reading.axis,
        show: highest > 0,
      },
      splitLine: { show: highest > 0, lineStyle: { color: token("line") } },
    },
    series: reading.adds ? (hasUnknown ? [...stacked, cap] : stacked) : lines,
  };
}
