/** The hit rate over time, from 0 to 100 %. Where nothing allowed the cache there is a gap, and no zero. */
import { type PointerEvent, useState } from "react";
import { count, percent } from "../../format/format";
import { type Bucket, bucketLabel, bucketTitle } from "../../format/time";
import grid from "../../ui/table.module.css";
import { classes } from "../../ui/ui";
import css from "./cache.module.css";

export interface Point {
  start: string;
  rate: number | null;
  hits: number;
  allowed: number;
}

const [WIDTH, HEIGHT] = [1000, 180];
const LABELS = 7;

const xOf = (index: number, of: number): number => (of < 2 ? WIDTH / 2 : (index / (of - 1)) * WIDTH);
const placeOf = (rate: number, index: number, of: number): string =>
  `${xOf(index, of).toFixed(1)},${((1 - rate) * HEIGHT).toFixed(1)}`;

/** To the last point, whose period is not over. */
function runningLine(points: readonly Point[]): string {
  const last = points.slice(-2).map(({ rate }, index) => ({ rate, index: points.length - 2 + index }));
  return last.flatMap(({ rate, index }) => (rate === null ? [] : placeOf(rate, index, points.length))).join(" ");
}

/** Lines between points that follow one another; a point alone is a line of no length. The last may still be running. */
export function linesOf(points: readonly Point[], isRunning = false): string[] {
  const lines: string[][] = [];
  let line: string[] | undefined;
  const whole = isRunning ? points.slice(0, -1) : points;
  whole.forEach(({ rate }, index) => {
    if (rate === null) {
      line = undefined;
      return;
    }
    if (!line) {
      line = [];
      lines.push(line);
    }
    line.push(placeOf(rate, index, points.length));
  });
  return lines.map((one) => (one.length === 1 ? `${one[0]} ${one[0]}` : one.join(" ")));
}

interface Props {
  points: readonly Point[];
  bucket: Bucket;
  zone: string;
  /** The last period is not over. */
  isRunning: boolean;
}

export function RateChart({ points, bucket, zone, isRunning }: Props) {
  const [at, setAt] = useState<number>();
  const shown = at === undefined ? undefined : points[at];
  const every = Math.max(1, Math.ceil(points.length / LABELS));

  function follow(event: PointerEvent<SVGSVGElement>) {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    setAt(Math.min(points.length - 1, Math.max(0, Math.round(share * (points.length - 1)))));
  }

  return (
    <figure className={css["chart"]}>
      <figcaption className={css["reading"]}>
        {shown ? (
          <>
            <b>{shown.rate === null ? "no request allowed it" : percent(shown.rate)}</b>{" "}
            {shown.rate !== null && `${count(shown.hits)} of ${count(shown.allowed)} · `}
            {bucketTitle(shown.start, bucket, zone)}
            {isRunning && at === points.length - 1 && " · so far"}
          </>
        ) : (
          "Requests served from the response cache, of those that allowed it"
        )}
      </figcaption>
      <div className={css["plot"]}>
        <div className={css["scale"]} aria-hidden="true">
          <span>100 %</span>
          <span>50 %</span>
          <span>0 %</span>
        </div>
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Hit rate over time, ${points.length} points; the table below has the same figures`}
          onPointerMove={follow}
          onPointerLeave={() => setAt(undefined)}
        >
          {[0, 0.5, 1].map((share) => (
            <line key={share} x1="0" x2={WIDTH} y1={share * HEIGHT} y2={share * HEIGHT} className={css["grid"]} />
          ))}
          {at !== undefined && (
            <line x1={xOf(at, points.length)} x2={xOf(at, points.length)} y1="0" y2={HEIGHT} className={css["cross"]} />
          )}
          {linesOf(points, isRunning).map((line) => (
            <polyline key={line} points={line} className={css["rate"]} />
          ))}
          {isRunning && <polyline points={runningLine(points)} className={classes(css["rate"], css["running"])} />}
        </svg>
      </div>
      <div className={css["times"]} aria-hidden="true">
        {points.map(({ start }, index) =>
          index % every === 0 ? (
            <span key={start} style={{ left: `${xOf(index, points.length) / (WIDTH / 100)}%` }}>
              {bucketLabel(start, bucket, zone)}
            </span>
          ) : null,
        )}
      </div>
      <details className={css["table-of"]}>
        <summary>The same as a table</summary>
        <table className={classes(grid["table"], css["table"])}>
          <thead>
            <tr>
              <th>time</th>
              <th className={grid["figure"]}>allowed</th>
              <th className={grid["figure"]}>served</th>
              <th className={grid["figure"]}>rate</th>
            </tr>
          </thead>
          <tbody>
            {points
              .filter(({ allowed }) => allowed > 0)
              .map((point) => (
                <tr key={point.start}>
                  <td>{bucketTitle(point.start, bucket, zone)}</td>
                  <td className={grid["figure"]}>{count(point.allowed)}</td>
                  <td className={grid["figure"]}>{count(point.hits)}</td>
                  <td className={grid["figure"]}>{percent(point.rate)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
