/** Which chip removes how many requests: each can be taken away. */
import { useQueries } from "@tanstack/react-query";
import { call, type Sealed } from "../api/client";
import { pluralize } from "../format/format";
import { chipText, filterOf } from "../state/filter";
import { rangeCondition } from "../state/rangeCondition";
import { withoutChip } from "../state/search";
import { useChange, useView } from "../state/view";
import css from "./nothing-found.module.css";
import { Button } from "./ui";

/** Requests of at most so many chips are counted, so that the page makes no more than six calls. */
export function WithoutChips({ mostCounted }: { mostCounted: number }) {
  const view = useView();
  const change = useChange();
  const chips = view.search.filter ?? [];
  const without = useQueries({
    queries: chips.slice(0, mostCounted).map((chip) => {
      const filter = filterOf(withoutChip(chips, chip), rangeCondition(view));
      return {
        queryKey: ["count", filter, view.zone],
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          call<Sealed<number>>("/v1/request/count/query", {
            method: "POST",
            body: { filter, timeZone: view.zone },
            signal,
          }),
      };
    }),
  });
  return chips.map((chip, index) => {
    const found = without[index]?.data?.data;
    return (
      <Button key={chip.join("\0")} onClick={() => change({ filter: withoutChip(chips, chip) })}>
        Without {chipText(chip)}
        {found !== undefined && (
          <b className={css["found"]} data-some={Number(found) > 0 ? "" : undefined}>
            {pluralize(found, "request")}
          </b>
        )}
      </Button>
    );
  });
}
