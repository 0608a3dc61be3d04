/** The attempts of a request that was retried, or went to another server: those that may have been billed, and the last. */
import { Link } from "@tanstack/react-router";
import { keyOf, type OneRequest, useAttempts } from "../../api/requests";
import { Card, Cost } from "../../ui/ui";
import { attemptsInOrder } from "./inOrder";
import css from "./request.module.css";

export function Attempts({ row }: { row: OneRequest }) {
  const found = useAttempts(row).data ?? [];
  const attempts = attemptsInOrder(found);
  if (attempts.length < 2) return null;
  const place = attempts.findIndex((one) => one.request_id === row.request_id) + 1;
  return (
    <Card title="Attempts" note={`attempt ${place} of ${attempts.length} with a row`}>
      <ol className={css["attempts"]}>
        {attempts.map((one) => (
          <li key={one.request_id} aria-current={one.request_id === row.request_id ? "true" : undefined}>
            <Link to="/requests/$requestId" params={{ requestId: keyOf(one) }} search={(old) => old}>
              {one.provider} {one.model || one.request_model}
            </Link>
            <span className={css["soft"]}>{one.attempt_of ? one.outcome.replaceAll("_", " ") : "responded"}</span>
            <Cost value={one.cost_usd} />
          </li>
        ))}
      </ol>
    </Card>
  );
}
