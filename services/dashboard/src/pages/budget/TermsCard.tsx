/** What a budget does, whom it tells, and by how much it can be exceeded. */
import type { ReactNode } from "react";
import type { Budget, Counter } from "../../api/budgets";
import { useChannels } from "../../api/channels";
import type { Digits } from "../../api/json";
import { exactMoney, money, pluralize } from "../../format/format";
import { absolute, clock } from "../../format/time";
import { Card } from "../../ui/ui";
import { actionSentence, refuses } from "../budgets/words";
import css from "./budget.module.css";

interface Props {
  budget: Budget;
  counter: Counter | undefined;
  unpriced: Digits | null;
  zone: string;
}

export function TermsCard({ budget, counter, unpriced, zone }: Props) {
  const channels = useChannels().data?.data ?? [];
  const names = budget.channel_ids.map((id) => channels.find((channel) => channel.id === id)?.name ?? "a removed one");
  const percents = budget.thresholds.map((percent) => `${percent} %`);
  const until = counter?.freshness.ledger_until;
  const terms: (readonly [string, ReactNode] | false)[] = [
    ["Without room", actionSentence(budget)],
    [
      "Cost unknown",
      budget.unknown_cost === "block"
        ? "A request whose cost has no upper bound is treated as one without room."
        : "A request whose cost has no upper bound passes while anything is left.",
    ],
    [
      "Reports",
      percents.length
        ? `At ${percents.join(", ")}, each once a window${names.length ? `, to ${names.join(", ")}` : ": to nobody, as it has no channel"}.`
        : "Nothing: it has no thresholds.",
    ],
    ["How far it can overshoot", <Overshoot key="bound" budget={budget} counter={counter} unpriced={unpriced} />],
    until
      ? [
          "Ledger",
          <span key="ledger" title={absolute(until, zone)}>
            in it until {clock(until, zone)}
          </span>,
        ]
      : false,
    ["Changed", absolute(budget.changed_at, zone)],
  ];
  return (
    <Card title="What it does">
      <dl className={css["terms"]}>
        {terms.map(
          (term) =>
            term && (
              <div key={term[0]}>
                <dt>{term[0]}</dt>
                <dd>{term[1]}</dd>
              </div>
            ),
        )}
      </dl>
    </Card>
  );
}

/** The formula of the README, with what it comes to now. */
function Overshoot({ budget, counter, unpriced }: Omit<Props, "zone">) {
  if (!refuses(budget)) return "Without bound: it refuses nothing.";
  const bound = counter?.overshoot.bound_usd ?? null;
  if (!counter || bound === null) return "Not known yet: nothing of this window is in the ledger.";
  const { killed_proxies_usd, lost_counters_usd, unknown_cost_passes } = counter.overshoot;
  const dollars = (value: Digits) => <span title={exactMoney(value)}>{money(value)}</span>;
  return (
    <>
      By <b data-overshoot>{dollars(bound)}</b> now: {dollars(killed_proxies_usd)}, which requests under way may cost,
      if all proxies were killed, and {dollars(lost_counters_usd)}, which the ledger does not have yet, if the counters
      were lost. Beside it what requests cost beyond their reservation, nothing where they set <code>max_tokens</code>{" "}
      and hold text only
      {unknown_cost_passes && ", and requests whose cost has no bound"}
      {Number(unpriced ?? 0) > 0 && ` (the cost of ${pluralize(unpriced, "request")} in this window is not known)`}.
      <small>spent ≤ limit + E + U + K + L</small>
    </>
  );
}
