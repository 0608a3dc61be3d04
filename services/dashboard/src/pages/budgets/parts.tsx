/** What both pages of budgets show alike. */
import type { Budget } from "../../api/budgets";
import { useKeysList } from "../../api/keys";
import { Tag } from "../../ui/ui";
import { actionSentence, actionText } from "./words";

export function Action({ of: budget }: { of: Budget }) {
  return (
    <span title={actionSentence(budget)}>
      {actionText(budget)} {budget.mode === "shadow" && <Tag kind="warn">shadow</Tag>}
    </span>
  );
}

type Segmented = Pick<Budget, "segment">;

/** How a value reads whose counter it is: a key has a name. */
export function useNameOf(budgets: readonly Segmented[]): (budget: Segmented, value: string) => string {
  const keys = useKeysList(budgets.some(({ segment }) => segment === "key")).data?.data ?? [];
  return ({ segment }, value) => (segment === "key" && keys.find(({ id }) => id === value)?.api_key_name) || value;
}
