import { Link } from "@tanstack/react-router";
import type { Seal as SealView } from "../api/client";
import { count, percent } from "../format/format";
import { clock } from "../format/time";
import { withChip } from "../state/search";
import { classes } from "../ui/ui";
import css from "./bar.module.css";

const UNPRICED = ["cost_usd", "equals", null] as const;

/** How complete the figures of the page are; a click leads to the requests without a price. */
export function Seal({ seal, zone }: { seal: SealView | undefined; zone: string }) {
  if (!seal) return null;
  const parts = [seal.complete_until ? `complete to ${clock(seal.complete_until, zone)}` : "completeness unknown"];
  if (Number(seal.events_waiting ?? 0) > 0) parts.push(`${count(seal.events_waiting)} waiting`);
  if (seal.priced_request_share !== null) parts.push(`${percent(seal.priced_request_share)} priced`);
  const why = [seal.reason, Number(seal.dead_lettered_events ?? 0) > 0 && `${seal.dead_lettered_events} dead-lettered`];
  return (
    <Link
      to="/requests"
      search={(old) => ({ ...old, filter: withChip(old.filter, UNPRICED) })}
      className={classes(css["seal"], seal.state !== "complete" && css["waiting"])}
      title={why.filter(Boolean).join("; ") || "Show the requests whose cost is unknown"}
      data-state={seal.state}
    >
      <span>{parts.join(" · ")}</span>
    </Link>
  );
}
