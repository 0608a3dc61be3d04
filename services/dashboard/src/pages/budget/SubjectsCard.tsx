/** Whose counter has the least left; a click shows how it got there. */
import type { Budget, Counter } from "../../api/budgets";
import { exactMoney, money } from "../../format/format";
import { LimitBar } from "../../ui/LimitBar";
import { Scroll } from "../../ui/Scroll";
import grid from "../../ui/table.module.css";
import { Card, Empty, LinkButton } from "../../ui/ui";
import { LEVELS, levelOf, shareOf, subjectTitle } from "../budgets/words";
import css from "./budget.module.css";

const SHOWN = 20;

interface Props {
  budget: Budget;
  counters: readonly Counter[];
  chosen: string | undefined;
  nameOf: (value: string) => string;
  onChoose: (value: string) => void;
}

export function SubjectsCard({ budget, counters, chosen, nameOf, onChoose }: Props) {
  const title = subjectTitle(budget);
  return (
    <Card title="Nearest to the limit" note={counters.length > SHOWN ? `the first ${SHOWN}` : undefined}>
      {counters.length ? (
        <Scroll label="Nearest to the limit">
          <table className={grid["table"]} data-table="subjects">
            <thead>
              <tr>
                <th>{title}</th>
                <th>spent</th>
                <th className={grid["figure"]}>left</th>
              </tr>
            </thead>
            <tbody>
              {counters.slice(0, SHOWN).map((counter) => (
                <Line
                  key={counter.value}
                  counter={counter}
                  name={nameOf(counter.value)}
                  isChosen={counter.value === chosen}
                  onChoose={() => onChoose(counter.value)}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      ) : (
        <Empty>No {title} has spent anything in this window.</Empty>
      )}
    </Card>
  );
}

function Line(props: { counter: Counter; name: string; isChosen: boolean; onChoose: () => void }) {
  const { counter, name, isChosen, onChoose } = props;
  const share = shareOf(counter.spent_usd, counter.limit_usd);
  const level = levelOf(share);
  return (
    <tr data-subject={counter.value} aria-current={isChosen ? "true" : undefined} className={css["subject"]}>
      <td className={css["who"]}>
        <LinkButton onClick={onChoose} title="Shows how it was spent">
          {name}
        </LinkButton>
      </td>
      <td className={css["bar"]}>
        <LimitBar share={share} level={level} word="">
          <span title={`${exactMoney(counter.spent_usd)}${LEVELS[level] && `, ${LEVELS[level]}`}`}>
            {money(counter.spent_usd)}
          </span>
        </LimitBar>
      </td>
      <td className={grid["figure"]} title={exactMoney(counter.remaining_usd)}>
        {money(counter.remaining_usd)}
      </td>
    </tr>
  );
}
