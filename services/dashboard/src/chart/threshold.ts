/** A number over time against its thresholds, as places on a plot: x from 0 to 1, y from the foot to the top. */
import { topOf } from "./line";

export interface Point {
  at: number;
  /** null: unknown, a gap. */
  value: number | null;
}

export interface Frame {
  start: number;
  end: number;
  bottom: number;
  top: number;
}

/** All that is drawn is within it, and zero too. */
export function frameOf(start: number, end: number, figures: readonly (number | null)[]): Frame {
  const known = figures.filter((figure) => figure !== null);
  const lowest = Math.min(0, ...known);
  return { start, end, bottom: lowest < 0 ? -topOf(-lowest) : 0, top: topOf(Math.max(0, ...known)) };
}

export function xOf(at: number, { start, end }: Frame): number {
  return end > start ? Math.min(1, Math.max(0, (at - start) / (end - start))) : 1;
}

export function yOf(value: number, { bottom, top }: Frame): number {
  return (value - bottom) / (top - bottom);
}

/** Stretches without a gap. */
export function runsOf(points: readonly Point[], frame: Frame): { x: number; y: number }[][] {
  const runs: { x: number; y: number }[][] = [];
  let isOpen = false;
  for (const { at, value } of points) {
    if (value !== null) {
      const point = { x: xOf(at, frame), y: yOf(value, frame) };
      if (isOpen) runs.at(-1)?.push(point);
      else runs.push([point]);
    }
    isOpen = value !== null;
  }
  return runs;
}

/** At most `most` of them; of each stretch the furthest, so that no threshold that was reached looks as if not. */
export function thinned(points: readonly Point[], most: number, isBelow = false): Point[] {
  const every = Math.ceil(points.length / most);
  if (every <= 1) return [...points];
  const further = (one: Point, other: Point) => {
    if (one.value === null || other.value === null) return one.value === null ? other : one;
    return (isBelow ? other.value < one.value : other.value > one.value) ? other : one;
  };
  const found: Point[] = [];
  for (let at = 0; at < points.length; at += every) found.push(points.slice(at, at + every).reduce(further));
  return found;
}

/** Where labels stand, from the top down, so that none covers another: `places` and `gap` in the same unit. */
export function spread(places: readonly number[], gap: number, end: number): number[] {
  const order = places.map((place, index) => ({ place, index })).sort((one, other) => one.place - other.place);
  const found = new Array<number>(places.length);
  let least = Number.NEGATIVE_INFINITY;
  for (const { place, index } of order) {
    least = Math.max(place, least + gap);
    found[index] = least;
  }
  // What was pushed below the end goes back up.
  let most = end;
  for (const { index } of order.reverse()) {
    most = Math.min(found[index] ?? end, most);
    found[index] = most;
    most -= gap;
  }
  return found;
}
