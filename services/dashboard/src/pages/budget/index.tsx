/** One budget: what is left of it, how it got there, who is nearest to the limit, and what it did. */
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import {
  type Budget,
  type BudgetState,
  type Counter,
  endOverride,
  useBudget,
  useBudgetChange,
} from "../../api/budgets";
import { useSession } from "../../api/queries";
import { exactMoney, money, percent } from "../../format/format";
import { absolute } from "../../format/time";
import { usePublish } from "../../frame/published";
import { useOwnSearch } from "../../state/sorting";
import { useView } from "../../state/view";
import { Refusal } from "../../ui/Dialog";
import { Facts } from "../../ui/Facts";
import { Button, classes, Loaded, Tag } from "../../ui/ui";
import { BudgetDialog } from "../budgets/BudgetForm";
import { Action, useNameOf, useSpelled } from "../budgets/parts";
import {
  conditionText,
  forWhom,
  isGrouped,
  LEVELS,
  levelOf,
  nearest,
  shareOf,
  untilText,
  windowText,
} from "../budgets/words";
import css from "./budget.module.css";
import { OverrideDialog, RemoveDialog } from "./dialogs";
import { HistoryCard } from "./HistoryCard";
import { SpendCard } from "./SpendCard";
import { SubjectsCard } from "./SubjectsCard";
import { TermsCard } from "./TermsCard";

export default function BudgetPage() {
  const { budgetId } = useParams({ strict: false }) as { budgetId: string };
  const answer = useBudget(budgetId);
  usePublish({});
  return (
    <Loaded answer={answer} height={420}>
      {({ data }) => <Shown state={data} />}
    </Loaded>
  );
}

function Shown({ state }: { state: BudgetState }) {
  const { zone } = useView();
  const [own, changeOwn] = useOwnSearch();
  const budget = useSpelled([state.budget])(state.budget);
  const counters = nearest(state.counters);
  const nameOf = useNameOf([budget]);
  const chosen = counters.find(({ value }) => value === own["of"]) ?? counters[0];
  const isFirst = chosen?.value === state.counters[0]?.value;
  const other = useBudget(budget.id, chosen?.value, !isFirst);
  const forecast = (isFirst ? state : other.data?.data)?.forecast;
  return (
    <>
      <Heading budget={budget} zone={zone} />
      {chosen && <Figures budget={budget} counter={chosen} zone={zone} name={nameOf(budget, chosen.value)} />}
      <SpendCard
        budget={budget}
        counter={chosen}
        name={nameOf(budget, chosen?.value ?? "")}
        forecast={forecast}
        zone={zone}
      />
      <div className={css["cards"]}>
        {isGrouped(budget) && (
          <SubjectsCard
            budget={budget}
            counters={counters}
            chosen={chosen?.value}
            nameOf={(value) => nameOf(budget, value)}
            onChoose={(value) => changeOwn({ of: value === counters[0]?.value ? undefined : value })}
          />
        )}
        <div>
          <TermsCard budget={budget} counter={chosen} unpriced={state.unpriced_requests} zone={zone} />
          {isGrouped(budget) && <HistoryCard budget={budget} zone={zone} />}
        </div>
        {!isGrouped(budget) && <HistoryCard budget={budget} zone={zone} />}
      </div>
    </>
  );
}

function Heading({ budget, zone }: { budget: Budget; zone: string }) {
  const isAdmin = useSession().data?.permission === "admin";
  const [open, setOpen] = useState<"edit" | "override" | "remove">();
  const ending = useBudgetChange();
  const navigate = useNavigate();
  const close = () => setOpen(undefined);
  return (
    <header className={css["head"]}>
      <nav className={css["back"]} aria-label="Breadcrumb">
        <Link to="/budgets" search={({ of: _, ...old }: Record<string, unknown>) => old as never}>
          Budgets
        </Link>
      </nav>
      <div className={css["title"]}>
        <h1>{budget.name}</h1>
        <span className={css["soft"]}>
          for {forWhom(budget)}
          {conditionText(budget) && ` with ${conditionText(budget)}`} · {windowText(budget)} · <Action of={budget} />
        </span>
        {isAdmin && (
          <span className={css["tools"]}>
            {budget.override ? (
              <Button disabled={ending.isPending} onClick={() => ending.mutate(endOverride(budget.id))}>
                End the override
              </Button>
            ) : (
              <Button onClick={() => setOpen("override")}>Override</Button>
            )}
            <Button onClick={() => setOpen("edit")}>Edit</Button>
            <Button onClick={() => setOpen("remove")}>Delete</Button>
          </span>
        )}
      </div>
      {budget.override && (
        <p className={css["override"]}>
          <Tag kind="warn">override</Tag> {money(budget.override.limit_usd)} holds until{" "}
          {absolute(budget.override.until, zone)}; then its own {money(budget.limit_usd)} again, by itself.
        </p>
      )}
      <Refusal error={ending.error} />
      {open === "edit" && <BudgetDialog budget={budget} zone={zone} onClose={close} />}
      {open === "override" && <OverrideDialog budget={budget} zone={zone} onClose={close} />}
      {open === "remove" && (
        <RemoveDialog budget={budget} onClose={close} onRemoved={() => void navigate({ to: "/budgets" })} />
      )}
    </header>
  );
}

function Figures({ budget, counter, zone, name }: { budget: Budget; counter: Counter; zone: string; name: string }) {
  const share = shareOf(counter.spent_usd, counter.limit_usd);
  const level = levelOf(share);
  const amount = (value: Counter["spent_usd"]) => <span title={exactMoney(value)}>{money(value)}</span>;
  const resets = counter.resets_at;
  return (
    <section aria-label={name ? `Of ${name}` : "Now"} className={css["figures"]}>
      {isGrouped(budget) && (
        <p className={css["of"]}>
          <b data-of>{name}</b> <span className={css["soft"]}>{LEVELS[level] || "within its limit"}</span>
        </p>
      )}
      <Facts
        facts={[
          [
            "Spent",
            <span key="spent" className={classes(css[level])} data-level={level}>
              {amount(counter.spent_usd)} <small>{percent(share, 0)}</small>
            </span>,
          ],
          [budget.override ? "Amount, overridden" : "Amount", amount(counter.limit_usd)],
          ["Left", amount(counter.remaining_usd)],
          ["Reserved", amount(counter.reserved_usd)],
          [
            "Resets",
            resets ? (
              <span key="resets" title={`${absolute(resets, zone)} (${zone})`}>
                {untilText(resets, Date.now())}
              </span>
            ) : (
              "as time passes"
            ),
          ],
        ]}
      />
      {!counter.freshness.rebuilt && (
        <p className={css["override"]}>
          <Tag kind="warn">not whole yet</Tag> The ledger is not in it: what was spent before may be missing for some
          seconds.
        </p>
      )}
    </section>
  );
}
