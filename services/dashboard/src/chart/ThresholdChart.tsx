/** A number over time against its thresholds, with what happened on the way. The table beside it has the same. */
import { type PointerEvent, type ReactNode, useState } from "react";
import { absolute, shortDay } from "../format/time";
import { classes } from "../ui/ui";
import line from "./line.module.css";
import { frameOf, type Point, runsOf, spread, xOf, yOf } from "./threshold";
import css from "./threshold.module.css";

export interface Threshold {
  value: number;
  level: "WARNING" | "CRITICAL";
  text: string;
}

export interface Happening {
  at: number;
  value: number | null;
  shape: ReactNode;
  text: string;
}

interface Props {
  title: string;
  start: number;
  end: number;
  points: readonly Point[];
  thresholds: readonly Threshold[];
  happenings: readonly Happening[];
  text: (value: number) => string;
  zone: string;
}

const HEIGHT_PX = 220;
const LABEL_PX = 15;
const MOST_LARGE = 30;
const DAY_MS = 86_400_000;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

export function ThresholdChart({ title, start, end, points, thresholds, happenings, text, zone }: Props) {
  const [at, setAt] = useState<number>();
  const figures = [...points, ...thresholds, ...happenings].map(({ value }) => value);
  const frame = frameOf(start, end, figures);
  const runs = runsOf(points, frame);
  const zero = 1 - yOf(0, frame);
  const labels = spread(
    thresholds.map(({ value }) => (1 - yOf(value, frame)) * HEIGHT_PX),
    LABEL_PX,
    HEIGHT_PX,
  );
  const near = at === undefined ? undefined : nearest(points, at);
  const events = at === undefined ? [] : happenings.filter((one) => Math.abs(one.at - at) < (end - start) / 80);
  const shown = events[0]?.at ?? near?.at;

  function move(event: PointerEvent<HTMLDivElement>) {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(start + Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (end - start));
  }

  return (
    <figure className={classes(line["line"], css["chart"], happenings.length > MOST_LARGE && css["dense"])}>
      <div className={line["scale"]} aria-hidden="true">
        <span>{text(frame.top)}</span>
        <span>{text((frame.top + frame.bottom) / 2)}</span>
        <span>{frame.bottom ? text(frame.bottom) : "0"}</span>
      </div>
      <div
        className={line["plot"]}
        role="img"
        aria-label={`${title} over time, against its thresholds`}
        onPointerMove={move}
        onPointerLeave={() => setAt(undefined)}
      >
        <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
          {[0, 0.5, 1].map((y) => (
            <line key={y} x1="0" x2="1" y1={y} y2={y} className={line["grid"]} />
          ))}
          {runs.map((run) => (
            <polygon
              key={run[0]?.x}
              points={[
                `${run[0]?.x},${zero}`,
                ...run.map(({ x, y }) => `${x},${1 - y}`),
                `${run.at(-1)?.x},${zero}`,
              ].join(" ")}
              className={css["area"]}
            />
          ))}
          {runs.map((run) => (
            <polyline
              key={run[0]?.x}
              points={run.map(({ x, y }) => `${x},${1 - y}`).join(" ")}
              className={line["stroke"]}
            />
          ))}
          {thresholds.map(({ value, level }) => (
            <line
              key={value}
              x1="0"
              x2="1"
              y1={1 - yOf(value, frame)}
              y2={1 - yOf(value, frame)}
              className={css["threshold"]}
              data-level={level}
            />
          ))}
        </svg>
        {happenings.map((one, index) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: several may happen at once, and none ever moves
            key={index}
            className={css["happening"]}
            style={{ left: `${xOf(one.at, frame) * 100}%`, top: `${(1 - yOf(one.value ?? 0, frame)) * 100}%` }}
          >
            {one.shape}
          </span>
        ))}
        {shown !== undefined && (
          <div
            className={classes(line["tip"], xOf(shown, frame) > 0.5 && line["left"])}
            style={{ left: `${xOf(shown, frame) * 100}%` }}
            aria-hidden="true"
          >
            {absolute(new Date(shown).toISOString(), zone).slice(0, -3)}
            {near && points.length > 0 && <b>{near.value === null ? "no requests" : text(near.value)}</b>}
            {events.map((one) => (
              <span key={one.text}>{one.text}</span>
            ))}
          </div>
        )}
      </div>
      <div className={css["labels"]}>
        {thresholds.map((one, index) => (
          <span key={one.value} data-level={one.level} style={{ top: labels[index] }}>
            {one.text}
          </span>
        ))}
      </div>
      <div className={line["axis"]} aria-hidden="true">
        {TICKS.map((share) => {
          const tick = new Date(start + share * (end - start)).toISOString();
          return (
            <span key={share}>
              {end - start > 2 * DAY_MS ? shortDay(tick, zone) : absolute(tick, zone).slice(-8, -3)}
            </span>
          );
        })}
      </div>
    </figure>
  );
}

function nearest(points: readonly Point[], at: number): Point | undefined {
  return points.reduce<Point | undefined>(
    (found, one) => (found && Math.abs(found.at - at) <= Math.abs(one.at - at) ? found : one),
    undefined,
  );
}
