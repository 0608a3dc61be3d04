/** How long it took, and how long until the first token. */
import type { OneRequest } from "../../api/requests";
import { count, milliseconds } from "../../format/format";
import { clock } from "../../format/time";
import css from "./request.module.css";

const SECOND_MS = 1000;

export function Timing({ row, zone }: { row: OneRequest; zone: string }) {
  const took = Number(row.delay_ms);
  const first = row.time_to_first_token === null ? null : Math.min(took, Number(row.time_to_first_token));
  const share = first === null || !took ? 0 : (first / took) * 100;
  return (
    <>
      <div className={css["latency"]}>
        <b>{milliseconds(took)}</b>
        <span>{first === null ? "in all" : `in all, ${milliseconds(first)} until the first token`}</span>
      </div>
      <svg className={css["bar"]} viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width="100" height="1" fill="var(--accent)" />
        <rect width={share} height="1" fill="var(--bar)" />
      </svg>
      <div className={css["ends"]}>
        <time dateTime={row.request_created_at}>{clock(row.request_created_at, zone)}</time>
        <span>{speedOf(row, took - (first ?? 0))}</span>
        <time dateTime={row.response_created_at}>{clock(row.response_created_at, zone)}</time>
      </div>
    </>
  );
}

/** Tokens a second, of what was written in `ms`. */
function speedOf(row: OneRequest, ms: number): string {
  const tokens = Number(row.completion_tokens ?? 0) + Number(row.reasoning_tokens ?? 0);
  if (!tokens || ms <= 0 || row.outcome === "cached") return row.outcome === "cached" ? "from the response cache" : "";
  const speed = (tokens / ms) * SECOND_MS;
  return `${speed < 10 ? speed.toFixed(1) : count(Math.round(speed))} tokens/s${row.is_stream ? ", streamed" : ""}`;
}
