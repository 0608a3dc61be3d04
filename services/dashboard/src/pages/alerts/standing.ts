/** How far a number is from the thresholds: the next one, and where all of them stand on a bar. */
import type { Alert } from "../../api/alerts";
import type { Maybe } from "../../format/format";

export interface Mark {
  value: number;
  level: "WARNING" | "CRITICAL";
  label: string;
}

export interface Standing {
  /** What is compared with thresholds: a value, or a forecast of it; null: unknown. */
  value: number | null;
  /** The next threshold, or the last one where all are reached. */
  next: Mark | undefined;
  isBeyond: boolean;
  marks: readonly Mark[];
  /** Of the bar's right end. */
  top: number;
}

export function marksOf({ thresholds }: Pick<Alert, "thresholds">): Mark[] {
  return thresholds.map(({ value, level, label }) => ({ value: Number(value), level, label }));
}

export function standingOf(alert: Pick<Alert, "thresholds" | "direction" | "evaluation" | "condition">): Standing {
  const marks = marksOf(alert);
  const { evaluation, condition, direction } = alert;
  const shown: Maybe = condition === "forecast" ? evaluation?.compared : evaluation?.value;
  const value = shown === null || shown === undefined ? null : Number(shown);
  const isReached = (mark: Mark) =>
    value !== null && (direction === "below" ? value <= mark.value : value >= mark.value);
  const next = marks.find((mark) => !isReached(mark));
  const top = Math.max(...marks.map((mark) => mark.value), value ?? 0) * 1.08 || 1;
  return { value, next: next ?? marks.at(-1), isBeyond: next === undefined && marks.length > 0, marks, top };
}
