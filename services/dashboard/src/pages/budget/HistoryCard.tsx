/** The requests that a budget acted on, or would have; each leads to its own page. */
import { Link } from "@tanstack/react-router";
import { type Budget, type BudgetEvent, useBudgetHistory } from "../../api/budgets";
import { absolute, relative } from "../../format/time";
import { currentMinute } from "../../state/view";
import { Scroll } from "../../ui/Scroll";
import grid from "../../ui/table.module.css";
import { Card, Empty, Loaded, Tag } from "../../ui/ui";
import css from "./budget.module.css";

const SHOWN = 25;

const STATUS: Record<string, { title: string; kind?: "bad" | "warn" }> = {
  blocked: { title: "refused", kind: "bad" },
  fallback: { title: "cheaper model", kind: "warn" },
  shadow: { title: "would have acted", kind: "warn" },
};

export function HistoryCard({ budget, zone }: { budget: Budget; zone: string }) {
  const history = useBudgetHistory(budget.id);
  const isShadow = budget.mode === "shadow";
  return (
    <Card title={isShadow ? "What it would have done" : "What it did"} note="the latest first">
      <Loaded answer={history} height={140}>
        {({ data }) =>
          data.length ? (
            <Events events={data.slice(0, SHOWN)} zone={zone} />
          ) : (
            <Empty>
              {budget.action === "notify"
                ? "It refuses nothing: it only reports."
                : isShadow
                  ? "No request was without room since it was made."
                  : "It has not refused a request yet, nor sent one to another model."}
            </Empty>
          )
        }
      </Loaded>
    </Card>
  );
}

function Events({ events, zone }: { events: readonly BudgetEvent[]; zone: string }) {
  const now = currentMinute();
  return (
    <Scroll label="Requests that it acted on">
      <table className={grid["table"]} data-table="history">
        <thead>
          <tr>
            <th>request</th>
            <th>what</th>
            <th>user</th>
            <th>model</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => {
            const { title, kind } = STATUS[event.status] ?? { title: event.status };
            return (
              <tr key={event.request_id}>
                <td title={absolute(event.created_at, zone)}>
                  <Link to="/requests/$requestId" params={{ requestId: event.request_id }} search={{}}>
                    {relative(event.created_at, now, zone)}
                  </Link>
                </td>
                <td>
                  <Tag kind={kind}>{title}</Tag>
                </td>
                <td className={css["who"]}>{event.user_id || "–"}</td>
                <td className={css["who"]}>
                  {event.requested_model}
                  {event.model && event.model !== event.requested_model && ` → ${event.model}`}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
