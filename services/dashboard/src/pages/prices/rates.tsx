/** Prices as people read them: dollars for a million tokens, by what is billed. */
import type { Price } from "../../api/prices";
import { digitsOf } from "../../format/decimal";
import { unitMoney } from "../../format/format";
import css from "./prices.module.css";

const TITLES: Record<string, string> = {
  prompt_tokens: "Input",
  completion_tokens: "Output",
  prompt_cache_read_tokens: "Cached input",
  prompt_cache_write_5m_tokens: "Cache write",
  prompt_cache_write_1h_tokens: "Cache write, 1 h",
};

export function rateTitle(usageClass: string): string {
  const name = usageClass.replace(/_tokens$/, "").replaceAll("_", " ");
  return TITLES[usageClass] ?? name.charAt(0).toUpperCase() + name.slice(1);
}

/** Dollars for a million tokens; a dash where the price has none of it. */
export function Rate({ price, of }: { price: Price | null; of: string }) {
  const usd = price?.usd_per_million_tokens[of];
  if (usd === undefined) return <span className={css["soft"]}>–</span>;
  return <span title={`$${digitsOf(usd)} for a million tokens`}>{unitMoney(usd)}</span>;
}

/** All that a price has beside input, output and cached input. */
export function otherRates(price: Price): string {
  const shown = ["prompt_tokens", "completion_tokens", "prompt_cache_read_tokens"];
  const tokens = Object.entries(price.usd_per_million_tokens).filter(([name]) => !shown.includes(name));
  const parts = [
    ...tokens.map(([name, usd]) => `${rateTitle(name)} $${digitsOf(usd)} / M`),
    ...Object.entries(price.usd_per_unit).map(([name, usd]) => `${rateTitle(name)} $${digitsOf(usd)} each`),
    ...Object.entries(price.usd_per_hour).map(([name, usd]) => `${rateTitle(name)} $${digitsOf(usd)} / h`),
    ...(Number(price.usd_per_request) ? [`Request $${digitsOf(price.usd_per_request)} each`] : []),
    ...price.tiers.map((tier) => `Other prices above ${tier.above_tokens} tokens`),
  ];
  return parts.join("\n");
}
