/** What figures are grouped by: a column, `@Name` of a property, or `time:` with a bucket. */
import { COLUMNS, titleOf } from "./filter";

export const BUCKETS = [
  "minute",
  "5_minutes",
  "15_minutes",
  "hour",
  "day",
  "week",
  "month",
  "quarter",
  "year",
] as const;
export type BucketName = (typeof BUCKETS)[number];

const TIME = "time:";

export function isTime(dimension: string): boolean {
  return dimension.startsWith(TIME) && BUCKETS.some((bucket) => `${TIME}${bucket}` === dimension);
}

export function bucketNameOf(dimension: string): BucketName {
  return dimension.slice(TIME.length) as BucketName;
}

export const TIMES: readonly string[] = BUCKETS.map((bucket) => `${TIME}${bucket}`);

export type By = { property: string } | { column: string } | { time: BucketName };

export function byOf(dimension: string): By {
  if (isTime(dimension)) return { time: bucketNameOf(dimension) };
  return dimension.startsWith("@") ? { property: dimension.slice(1) } : { column: dimension };
}

export function dimensionTitle(dimension: string): string {
  return isTime(dimension) ? bucketNameOf(dimension).replace("_", " ") : titleOf(dimension);
}

const FIRST = ["model", "provider", "user_id", "session_id", "session_name", "key_id", "outcome", "status"];

/** Columns to group by, those that people mostly want first. */
export const GROUP_COLUMNS: readonly string[] = [
  ...FIRST,
  ...COLUMNS.filter(({ name, groups }) => groups && !FIRST.includes(name)).map(({ name }) => name),
];
