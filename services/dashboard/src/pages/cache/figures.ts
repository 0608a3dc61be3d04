/** Figures of the cache as people read them. */
import type { Maybe } from "../../format/format";
import { money } from "../../format/format";
import { received, sent } from "../request/conversation";

interface Loss {
  certain_usd: Maybe;
  likely_usd: Maybe;
}

/** "$1.20 – $3.40"; one figure where both ends read the same. */
export function rangeText(low: Maybe, high: Maybe): string {
  const [least, most] = [money(low), money(high)];
  return least === most ? least : `${least} – ${most}`;
}

export function lossText(loss: Loss): string {
  return rangeText(loss.certain_usd, loss.likely_usd);
}

const MINUTE_S = 60;
const HOUR_S = 3600;

/** 42 s, 12 min, 3.4 h. */
export function duration(seconds: Maybe): string {
  if (seconds === null || seconds === undefined) return "unknown";
  const value = Number(seconds);
  if (value < MINUTE_S) return `${Number(value.toFixed(value < 10 ? 1 : 0))} s`;
  return value < HOUR_S ? `${Math.round(value / MINUTE_S)} min` : `${Number((value / HOUR_S).toFixed(1))} h`;
}

/** What was asked for last, in one line; what came back, where that cannot be read. */
export function gistOf(prompt: string | null, response: string | null): string {
  const said = [...sent(parsed(prompt)), ...(prompt ? [] : received(parsed(response)))];
  const texts = said
    .filter(({ role }) => role !== "system")
    .flatMap(({ parts }) => parts.flatMap((part) => ("text" in part ? part.text : [])));
  return (texts.at(-1) ?? prompt ?? "its body was not kept").replace(/\s+/g, " ").trim().slice(0, 200);
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return text;
  }
}
