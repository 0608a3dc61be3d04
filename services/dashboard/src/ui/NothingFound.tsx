/** Which chip leaves nothing: each can be taken away. */
import { useChange, useView } from "../state/view";
import css from "./nothing-found.module.css";
import { Button, Empty } from "./ui";
import { WithoutChips } from "./WithoutChips";

const MOST_COUNTED = 2;

interface Props {
  what: string;
  /** Other conditions of the page, each with what takes it away. */
  also?: readonly (readonly [string, () => void])[];
}

export function NothingFound({ what, also = [] }: Props) {
  const { search } = useView();
  const change = useChange();
  const chips = search.filter ?? [];
  const isFiltered = chips.length + also.length > 0;
  return (
    <Empty>
      {isFiltered ? `No ${what} in this range fulfils all of these conditions.` : `No ${what} in this range.`}
      <span className={css["choices"]}>
        <WithoutChips mostCounted={MOST_COUNTED} />
        {also.map(([title, remove]) => (
          <Button key={title} onClick={remove}>
            {title}
          </Button>
        ))}
        {!isFiltered && (
          <Button onClick={() => change({ range: "90d", from: undefined, to: undefined })}>
            Show the last 90 days
          </Button>
        )}
      </span>
    </Empty>
  );
}
