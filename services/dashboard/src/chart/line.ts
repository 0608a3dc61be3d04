/** A figure over time as points of a line; a bucket without it is a gap. */

export interface Point {
  /** Between 0 and 1, in the middle of its bucket. */
  x: number;
  /** From 0 at the foot to 1 at the highest tick. */
  y: number;
  index: number;
}

export interface Line {
  /** Stretches without a gap. */
  runs: Point[][];
  /** The top of the axis: round, and not below any figure. */
  top: number;
}

const STEPS = [1, 2, 2.5, 5, 10];

export function topOf(highest: number): number {
  if (highest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  const step = STEPS.find((one) => one * power >= highest) ?? 10;
  return step * power;
}

/** `least`: what the axis reaches in any case. */
export function lineOf(values: readonly (number | null)[], least = 0): Line {
  const top = topOf(Math.max(least, ...values.map((value) => value ?? 0)));
  const runs: Point[][] = [];
  let isOpen = false;
  values.forEach((value, index) => {
    if (value === null) {
      isOpen = false;
      return;
    }
    const point = { x: (index + 0.5) / values.length, y: value / top, index };
    if (isOpen) runs.at(-1)?.push(point);
    else runs.push([point]);
    isOpen = true;
  });
  return { runs, top };
}
