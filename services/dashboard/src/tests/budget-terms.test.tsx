import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import type { Budget, Counter } from "../api/budgets";
import { TermsCard } from "../pages/budget/TermsCard";

const BUDGET = { action: "block", mode: "enforced", unknown_cost: "pass", thresholds: [], channel_ids: [] };
const UNBOUNDED = "Without bound: it refuses nothing.";
const UNKNOWN = "Not known yet: nothing of this window is in the ledger.";

function counter(bound: number | null): Counter {
  const overshoot = { bound_usd: bound, killed_proxies_usd: 2, lost_counters_usd: 3, unknown_cost_passes: false };
  return { overshoot, freshness: { ledger_until: null } } as unknown as Counter;
}

it.each([
  [{ action: "notify" }, undefined, UNBOUNDED],
  [{ action: "notify" }, counter(null), UNBOUNDED],
  [{ mode: "shadow" }, undefined, UNBOUNDED],
  [{}, undefined, UNKNOWN],
  [{ action: "fallback", fallback_model: "gpt-4o-mini" }, undefined, UNKNOWN],
  [{}, counter(5), "By $5.00 now: $2.00, which requests under way may cost"],
])("says how far a budget of %j can overshoot", (changed, its, expected) => {
  const budget = { ...BUDGET, changed_at: "2026-11-22T14:05:00Z", ...changed } as unknown as Budget;
  const html = renderToStaticMarkup(
    <QueryClientProvider client={new QueryClient()}>
      <TermsCard budget={budget} counter={its} unpriced={null} zone="UTC" />
    </QueryClientProvider>,
  );
  expect(html.replace(/<[^>]*>/g, "")).toContain(`How far it can overshoot${expected}`);
});
