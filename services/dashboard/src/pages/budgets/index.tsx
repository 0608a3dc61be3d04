/** What may be spent: each budget with what is left of it. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type ListedBudget, useBudgets } from "../../api/budgets";
import { useSession } from "../../api/queries";
import { exactMoney, money } from "../../format/format";
import { absolute } from "../../format/time";
import { usePublish } from "../../frame/published";
import { useView } from "../../state/view";
import { LimitBar } from "../../ui/LimitBar";
import { Sheet } from "../../ui/Sheet";
import { Button, Card, classes, Empty, Loaded, Tag } from "../../ui/ui";
import { BudgetDialog } from "./BudgetForm";
import css from "./budgets.module.css";
import { Action, useNameOf, useSpelled } from "./parts";
import {
  conditionText,
  forWhom,
  isGrouped,
  LEVELS,
  levelOf,
  shareOf,
  subjectsText,
  untilText,
  windowText,
} from "./words";

export default function Budgets() {
  const { zone } = useView();
  const isAdmin = useSession().data?.permission === "admin";
  const budgets = useBudgets();
  const [isMaking, setMaking] = useState(false);
  usePublish({});
  const make = (
    <Button kind="primary" onClick={() => setMaking(true)}>
      Create a budget
    </Button>
  );
  return (
    <>
      <div className={css["top"]}>
        <h1>Budgets</h1>
        <span className={css["soft"]}>dollars that may be spent, and what happens at their end</span>
        <span className={classes(css["tools"], css["soft"])}>
          {isAdmin ? make : "Your key may read: an admin key changes budgets."}
        </span>
      </div>
      <Card title="In force" note="spent now, requests that have just ended included" flush>
        <div className={css["inset"]}>
          <Loaded answer={budgets} height={180}>
            {({ data }) =>
              data.length ? (
                <BudgetsTable budgets={data} zone={zone} />
              ) : (
                <Empty>
                  <span>
                    There are no budgets yet. One can tell people at 80 % of $500 a month, or refuse what a free user
                    calls for beyond $25; in shadow it only records what it would have done.
                  </span>
                  {isAdmin && make}
                </Empty>
              )
            }
          </Loaded>
        </div>
      </Card>
      {isMaking && <BudgetDialog zone={zone} onClose={() => setMaking(false)} />}
    </>
  );
}

const HEADS = [
  { title: "budget" },
  { title: "amount", isFigure: true },
  { title: "spent now" },
  { title: "resets", className: css["optional"] },
  { title: "without room" },
];

function BudgetsTable({ budgets, zone }: { budgets: readonly ListedBudget[]; zone: string }) {
  const now = Date.now();
  const nameOf = useNameOf(budgets);
  const spelled = useSpelled(budgets);
  return (
    <Sheet label="Budgets" name="budgets" className={css["table"]} isStacked heads={HEADS}>
      <tbody>
        {fullestFirst(budgets.map(spelled)).map((budget) => (
          <tr key={budget.id} data-budget={budget.name}>
            <td className={css["name"]}>
              <Link to="/budgets/$budgetId" params={{ budgetId: budget.id }} search={(old) => old}>
                {budget.name}
              </Link>
              <small>
                {forWhom(budget)}
                {conditionText(budget) && ` with ${conditionText(budget)}`}
              </small>
            </td>
            <td className={css["amount"]} data-label="amount">
              <Amount of={budget} zone={zone} />
              <small>{windowText(budget)}</small>
            </td>
            <td className={css["spent"]}>
              <Spent of={budget} nameOf={nameOf} />
            </td>
            <td className={css["optional"]}>
              <Reset of={budget} now={now} zone={zone} />
            </td>
            <td className={css["then"]}>
              <Action of={budget} />
            </td>
          </tr>
        ))}
      </tbody>
    </Sheet>
  );
}

function fullestFirst(budgets: readonly ListedBudget[]): ListedBudget[] {
  const used = ({ spend }: ListedBudget) => {
    const leading = spend?.leading;
    return leading ? shareOf(leading.spent_usd, leading.limit_usd) : 0;
  };
  return [...budgets].sort((one, other) => used(other) - used(one));
}

function Amount({ of: budget, zone }: { of: ListedBudget; zone: string }) {
  if (!budget.override) return <span title={exactMoney(budget.limit_usd)}>{money(budget.limit_usd)}</span>;
  const { limit_usd, until } = budget.override;
  return (
    <span title={`${exactMoney(limit_usd)} until ${absolute(until, zone)}; its own is ${exactMoney(budget.limit_usd)}`}>
      {money(limit_usd)} <Tag kind="warn">override</Tag>
    </span>
  );
}

function Spent({ of: budget, nameOf }: { of: ListedBudget; nameOf: ReturnType<typeof useNameOf> }) {
  const { spend } = budget;
  if (!spend?.leading) return <span className={css["soft"]}>{spend ? "nothing yet" : "not known"}</span>;
  const { leading } = spend;
  const share = shareOf(leading.spent_usd, leading.limit_usd);
  const level = levelOf(share);
  const word = isGrouped(budget) ? subjectsText(spend) : LEVELS[level];
  return (
    <LimitBar share={share} level={level} word={word}>
      <span title={exactMoney(leading.spent_usd)} data-spent>
        {money(leading.spent_usd)}
        {isGrouped(budget) && <span className={css["soft"]}> {nameOf(budget, leading.value)}</span>}
      </span>
    </LimitBar>
  );
}

function Reset({ of: budget, now, zone }: { of: ListedBudget; now: number; zone: string }) {
  const at = budget.spend?.leading?.resets_at;
  if (budget.period === "rolling") return <span className={css["soft"]}>as time passes</span>;
  if (!at) return <span className={css["soft"]}>–</span>;
  return <span title={`${absolute(at, zone)} (${zone})`}>{untilText(at, now)}</span>;
}
