/** What both pages of budgets show alike. */
import type { Budget } from "../../api/budgets";
import { useKeysList } from "../../api/keys";
import { useProperties } from "../../api/queries";
import { Tag } from "../../ui/ui";
import { actionSentence, actionText } from "./words";

export function Action({ of: budget }: { of: Budget }) {
  return (
    <span title={actionSentence(budget)}>
      {actionText(budget)} {budget.mode === "shadow" && <Tag kind="warn">shadow</Tag>}
    </span>
  );
}

type Named = Pick<Budget, "property" | "where">;

/** A budget with its properties as the team spells them: a budget itself knows them in lower case. */
export function useSpelled(budgets: readonly Named[]): <Of extends Named>(budget: Of) => Of {
  const isNamed = budgets.some(({ property, where }) => property || Object.keys(where).length);
  const properties = useProperties(isNamed).data?.data ?? [];
  const spelled = (name: string) =>
    properties.find(({ property }) => property.toLowerCase() === name)?.property ?? name;
  return (budget) => ({
    ...budget,
    property: spelled(budget.property),
    where: Object.fromEntries(Object.entries(budget.where).map(([name, value]) => [spelled(name), value])),
  });
}

type Segmented = Pick<Budget, "segment">;

/** How a value reads whose counter it is: a key has a name. */
export function useNameOf(budgets: readonly Segmented[]): (budget: Segmented, value: string) => string {
  const keys = useKeysList(budgets.some(({ segment }) => segment === "key")).data?.data ?? [];
  return ({ segment }, value) => (segment === "key" && keys.find(({ id }) => id === value)?.api_key_name) || value;
}
