/** Which tier each user has: by its requests, the one that cost most first. */
import type { ReportRow } from "../../api/queries";

export function tiersByUser(rows: readonly Pick<ReportRow, "by">[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const {
    by: [user, tier],
  } of rows) {
    if (tier === null || tier === undefined) continue;
    const key = String(user ?? "");
    found.set(key, [...(found.get(key) ?? []), String(tier)]);
  }
  return found;
}
