/** One figure over time, drawn without an engine: it is there with the page. The table beside it has the same figures. */
import { type PointerEvent, useState } from "react";
import { type Bucket, bucketLabel, bucketTitle } from "../format/time";
import { classes } from "../ui/ui";
import { lineOf } from "./line";
import css from "./line.module.css";

interface Props {
  title: string;
  starts: readonly string[];
  values: readonly (number | null)[];
  text: (value: number) => string;
  bucket: Bucket;
  zone: string;
  isRunning: boolean;
  /** How many buckets have begun, where some are yet to come. */
  begun?: number;
  /** A line that the figure should stay below. */
  limit?: { value: number; title: string };
}

export function LineChart({
  title,
  starts,
  values,
  text,
  bucket,
  zone,
  isRunning,
  begun = starts.length,
  limit,
}: Props) {
  const [at, setAt] = useState<number>();
  const { runs, top } = lineOf(values, limit?.value);
  const known = at === undefined ? null : (values[at] ?? null);
  const last = starts.length - 1;
  const soFar = isRunning ? begun - 1 : -1;
  const middle = Math.floor(last / 2);

  function move(event: PointerEvent<HTMLDivElement>) {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(Math.min(last, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * starts.length))));
  }

  return (
    <figure className={css["line"]}>
      <div className={css["scale"]} aria-hidden="true">
        <span>{text(top)}</span>
        <span>{text(top / 2)}</span>
        <span>{text(0)}</span>
      </div>
      <div
        className={css["plot"]}
        role="img"
        aria-label={`${title} over time`}
        onPointerMove={move}
        onPointerLeave={() => setAt(undefined)}
      >
        <svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
          {[0, 0.5, 1].map((y) => (
            <line key={y} x1="0" x2="1" y1={y} y2={y} className={css["grid"]} />
          ))}
          {runs.map((run) => (
            <polyline
              key={run[0]?.index}
              points={run.map(({ x, y }) => `${x},${1 - y}`).join(" ")}
              className={css["stroke"]}
            />
          ))}
        </svg>
        {limit && (
          <div className={css["limit"]} style={{ top: `${(1 - limit.value / top) * 100}%` }}>
            <span>{limit.title}</span>
          </div>
        )}
        {runs.flat().map(({ x, y, index }) => (
          <i
            key={index}
            className={classes(css["dot"], index === soFar && css["soFar"], index === at && css["at"])}
            style={{ left: `${x * 100}%`, top: `${(1 - y) * 100}%` }}
          />
        ))}
        {at !== undefined && (
          <div
            className={classes(css["tip"], at > starts.length / 2 && css["left"])}
            style={{ left: `${((at + 0.5) / starts.length) * 100}%` }}
            aria-hidden="true"
          >
            {bucketTitle(starts[at] ?? "", bucket, zone)}
            {at === soFar && " · so far"}
            <b>{known !== null ? text(known) : at < begun ? "no requests" : "yet to come"}</b>
          </div>
        )}
      </div>
      <div className={css["axis"]} aria-hidden="true">
        {[0, middle, last].map((index, order) =>
          starts[index] && (order === 0 || index > 0) ? (
            <span key={order === 0 ? "first" : order === 1 ? "middle" : "last"}>
              {bucketLabel(starts[index] ?? "", bucket, zone)}
            </span>
          ) : null,
        )}
      </div>
    </figure>
  );
}
