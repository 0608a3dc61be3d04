/** A receipt as the lines of an invoice, and as CSV. */
import type { Receipt } from "../../api/requests";
import { difference, digitsOf } from "../../format/decimal";
import { type Maybe, UNKNOWN, unitMoney } from "../../format/format";

export type Line = Receipt["lines"][number];
type Price = NonNullable<Receipt["price"]>;

const HOUR_MS = 3_600_000;

/** In the field's words. */
const TITLES: Record<string, string> = {
  prompt_tokens: "input tokens",
  completion_tokens: "output tokens",
  reasoning_tokens: "reasoning tokens",
  prompt_cache_read_tokens: "prompt cache read",
  prompt_cache_write_5m_tokens: "prompt cache write, 5 min",
  prompt_cache_write_1h_tokens: "prompt cache write, 1 h",
  prompt_cache_write_12h_tokens: "prompt cache write, 12 h",
  prompt_audio_ms: "audio in, ms",
  request: "fee of the request",
  bill: "the provider's own bill",
  rounding: "rounded to 12 decimals",
};

export function titleOfClass(usageClass: string): string {
  return (
    TITLES[usageClass] ??
    usageClass
      .replaceAll("_", " ")
      .replace(/^prompt /, "input ")
      .replace(/^completion /, "output ")
  );
}

/** "$2.50 / M", as price lists have it. */
export function unitPrice(line: Pick<Line, "usd_per_million" | "unit_usd" | "per">): string {
  const { usd_per_million: million, unit_usd: unit, per } = line;
  if (million !== null && million !== undefined) return `${unitMoney(million)} / M`;
  if (unit === null || unit === undefined) return "–";
  return Number(per) === HOUR_MS ? `${unitMoney(unit)} / h` : unitMoney(unit);
}

/** Amounts as they add up: every digit of the longest one, and all as long, so that points stand below points. */
export function amountsOf(values: readonly Maybe[]): string[] {
  const digits = values.map((value) => (value === null || value === undefined ? null : digitsOf(value)));
  const decimals = Math.max(2, ...digits.map((one) => one?.split(".")[1]?.length ?? 0));
  return digits.map((one) => (one === null ? UNKNOWN : dollars(one, decimals)));
}

function dollars(digits: string, decimals: number): string {
  const [whole = "0", fraction = ""] = digits.replace("-", "").split(".");
  const sign = digits.startsWith("-") ? "−" : "";
  return `${sign}$${whole.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction.padEnd(decimals, "0")}`;
}

/** Lines by the model that used them, the billed one first, each with its price. */
export function modelsOf(
  receipt: Receipt,
): { model: string; lines: Line[]; price: Price | null; why: string | null }[] {
  const names = [...new Set(receipt.lines.map(({ model }) => model))];
  return names.map((model) => {
    const other = receipt.other_models.find((one) => one.model === model);
    const isOther = other !== undefined && model !== receipt.model;
    return {
      model,
      lines: receipt.lines.filter((line) => line.model === model),
      price: isOther ? other.price : receipt.price,
      why: isOther ? other.why : null,
    };
  });
}

/** What a re-pricing changed; null where there was none, or one end is unknown. */
export function changeOf(receipt: Pick<Receipt, "reprice_id" | "original_cost_usd" | "cost_usd">): string | null {
  const { reprice_id: run, original_cost_usd: before, cost_usd: now } = receipt;
  return run && before !== null && now !== null ? difference(now, before) : null;
}

const COLUMNS = ["model", "usage_class", "quantity", "unit_usd", "per", "amount_usd"] as const;

/** Every digit; unknown is an empty cell. */
export function csvOf(receipt: Pick<Receipt, "lines" | "total_usd">): string {
  const exact = (value: Maybe) => (value === null || value === undefined ? "" : digitsOf(value));
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = receipt.lines.map((line) => [
    quoted(line.model),
    line.usage_class,
    exact(line.quantity),
    exact(line.unit_usd),
    exact(line.per),
    exact(line.amount_usd),
  ]);
  const all = [COLUMNS, ...rows, ["total", "", "", "", "", exact(receipt.total_usd)]];
  return `${all.map((row) => row.join(",")).join("\n")}\n`;
}
