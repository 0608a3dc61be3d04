/** Dates and times as people type them, in the zone of the page. */

const MINUTE_MS = 60_000;

function offsetMs(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(new Date(instant));
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second")) - instant;
}

/** `2026-11-21T06:30` in `zone` as an ISO timestamp; undefined for what is no date. */
export function instantIn(zone: string, local: string): string | undefined {
  const wall = Date.parse(`${local}Z`);
  if (Number.isNaN(wall)) return undefined;
  const near = wall - offsetMs(wall, zone);
  return new Date(wall - offsetMs(near, zone)).toISOString();
}

/** An ISO timestamp as the field of a date and time wants it. */
export function localIn(zone: string, timestamp: string): string {
  const instant = Math.floor(Date.parse(timestamp) / MINUTE_MS) * MINUTE_MS;
  return new Date(instant + offsetMs(instant, zone)).toISOString().slice(0, 16);
}
