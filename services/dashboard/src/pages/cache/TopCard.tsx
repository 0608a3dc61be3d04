/** The requests whose responses were served again most often. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTopCached } from "../../api/savings";
import { count } from "../../format/format";
import { relative } from "../../format/time";
import { useView } from "../../state/view";
import { Button, Card, Cost, Empty, Loaded } from "../../ui/ui";
import css from "./cache.module.css";
import { gistOf } from "./figures";

const SHOWN = 5;

export function TopCard({ period }: { period: object }) {
  const { zone } = useView();
  const answer = useTopCached(period as never);
  const [isWhole, setWhole] = useState(false);
  return (
    <Card title="Served again most often" isStale={answer.isPlaceholderData}>
      <Loaded answer={answer} height={300}>
        {({ data }) =>
          data.length ? (
            <>
              <ul className={css["prompts"]} data-list="top">
                {data.slice(0, isWhole ? undefined : SHOWN).map((one) => (
                  <li key={one.request_id}>
                    <Link
                      to="/requests/$requestId"
                      params={{ requestId: one.request_id }}
                      search={(old) => old}
                      className={css["gist"] ?? ""}
                    >
                      {gistOf(one.prompt, one.response)}
                    </Link>
                    <span className={css["figure"]}>
                      <Cost value={one.saved_usd} />
                    </span>
                    <small>
                      {one.model || "its model is not known"} · served {count(one.count)}{" "}
                      {Number(one.count) === 1 ? "time" : "times"}, last {relative(one.last_used, Date.now(), zone)}
                    </small>
                  </li>
                ))}
              </ul>
              {data.length > SHOWN && (
                <Button kind="quiet" className={css["more"]} aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
                  {isWhole ? "Show fewer" : `Show all ${data.length}`}
                </Button>
              )}
            </>
          ) : (
            <Empty>Nothing was served from the response cache.</Empty>
          )
        }
      </Loaded>
    </Card>
  );
}
