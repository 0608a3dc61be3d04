/** Nothing to show: which chip removes how many rows, or where there are any. */
import { Link } from "@tanstack/react-router";
import { useChange, useView } from "../../state/view";
import { Button, Empty } from "../../ui/ui";
import { WithoutChips } from "../../ui/WithoutChips";
import css from "./requests.module.css";

const MOST_COUNTED = 4; // chips, so that the page asks no more than six times

export function NoRows() {
  const view = useView();
  const change = useChange();
  const chips = view.search.filter ?? [];
  return (
    <div className={css["nothing"]}>
      <Empty>
        {chips.length > 1
          ? "No request fulfils all of these conditions in this range."
          : chips.length
            ? "No request fulfils this condition in this range."
            : "No requests in this range."}
        <span className={css["without"]}>
          <WithoutChips mostCounted={MOST_COUNTED} />
          {view.search.at && <Button onClick={() => change({ at: undefined })}>Back to the newest</Button>}
          {view.search.range !== "90d" && (
            <Button onClick={() => change({ range: "90d", from: undefined, to: undefined, at: undefined })}>
              Show the last 90 days
            </Button>
          )}
        </span>
        {!chips.length && (
          <Link to="/" search={{}}>
            How to send the first request
          </Link>
        )}
      </Empty>
    </div>
  );
}
