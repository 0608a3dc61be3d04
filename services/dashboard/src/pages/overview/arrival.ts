/** Whether the first request came while somebody waited for it: only then it is announced. */

/** `before`: there were requests before the page looked, however long ago. */
export type Arrival = "unknown" | "awaited" | "here" | "before";

/** After a look that found so many requests; undefined while there was none. */
export function arrivalAfter(arrival: Arrival, found: number | undefined): Arrival {
  if (found === undefined || arrival === "here" || arrival === "before") return arrival;
  if (found === 0) return "awaited";
  return arrival === "unknown" ? "before" : "here";
}
