/** Prompts that came again, and what a response cache would have saved of them. */
import { Link } from "@tanstack/react-router";
import { type Repeats, useRepeats } from "../../api/savings";
import { count, exactMoney, percent, pluralize } from "../../format/format";
import { useView } from "../../state/view";
import grid from "../../ui/table.module.css";
import { Card, Cost, classes, Empty, Loaded } from "../../ui/ui";
import { Assumptions } from "./Assumptions";
import css from "./cache.module.css";
import { savingsQuestion } from "./questions";

const LISTED = 8;

export function RepeatsCard() {
  const view = useView();
  const answer = useRepeats(savingsQuestion<"RepeatsRequest">(view, { top: LISTED }));
  return (
    <Card title="Repeated prompts" isStale={answer.isPlaceholderData}>
      <Loaded answer={answer} height={360}>
        {({ data }) => (
          <>
            <Sum data={data} />
            {data.prompts.length > 0 ? (
              <table className={classes(grid["table"], css["table"])} data-table="repeats">
                <thead>
                  <tr>
                    <th>feature, model</th>
                    <th className={grid["figure"]}>users</th>
                    <th className={grid["figure"]}>requests</th>
                    <th className={grid["figure"]}>to be saved</th>
                  </tr>
                </thead>
                <tbody>
                  {data.prompts.map((prompt) => (
                    <tr key={prompt.request_fingerprint + prompt.models.join()}>
                      <td className={grid["name"]}>
                        <Link
                          to="/requests"
                          search={(old) => ({
                            ...old,
                            filter: [["request_fingerprint", "equals", prompt.request_fingerprint]] as const,
                          })}
                        >
                          {[prompt.features.join(", ") || "no feature", prompt.models.join(", ")].join(", ")}
                        </Link>
                      </td>
                      <td className={grid["figure"]}>{count(prompt.users)}</td>
                      <td className={grid["figure"]}>{count(prompt.requests)}</td>
                      <td className={grid["figure"]}>
                        <Cost value={prompt.saved_usd} unpriced={prompt.unpriced_hits} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            ) : (
              <Empty>No prompt came twice.</Empty>
            )}
            <Assumptions texts={data.assumptions} />
          </>
        )}
      </Loaded>
    </Card>
  );
}

function Sum({ data }: { data: Repeats }) {
  const { saved_usd: saved, hits, unpriced_hits: unpriced } = data.total;
  const share = Number(data.period_cost_usd) ? Number(saved ?? 0) / Number(data.period_cost_usd) : null;
  return (
    <p className={css["sum"]}>
      <b title={exactMoney(saved)} data-sum="repeats">
        <Cost value={saved} unpriced={unpriced} isLong />
      </b>{" "}
      {share !== null && `${percent(share)} of the cost, `}
      for {pluralize(hits, "response")} that a cache would have served
    </p>
  );
}
