/** One request: what was said, when, by whom, and what it cost, line by line. */
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { endSession } from "../../api/queries";
import { addressOf, keyOf, neighbourOf, type OneRequest, parseKey, useRequest } from "../../api/requests";
import { exactMoney, milliseconds, pluralize } from "../../format/format";
import { absolute } from "../../format/time";
import { isTyping } from "../../frame/keyboard";
import { OwnBar } from "../../frame/OwnBar";
import { usePublish } from "../../frame/published";
import { Share } from "../../frame/Share";
import { besideInList } from "../../state/listed";
import { useUp, useView } from "../../state/view";
import { Button, Card, Cost, classes, ErrorNote, Skeleton, Tag } from "../../ui/ui";
import ui from "../../ui/ui.module.css";
import { Attempts } from "./Attempts";
import { Conversation } from "./Conversation";
import { Origin, Properties, Usage } from "./Facts";
import { Feedback } from "./Feedback";
import { Receipt } from "./Receipt";
import css from "./request.module.css";
import { Timing } from "./Timing";

const FAILED = 400;

export function RequestPage() {
  const { requestId } = useParams({ strict: false }) as { requestId: string };
  const { zone } = useView();
  const answer = useRequest(requestId);
  const row = answer.data;
  // While the next one loads, what is shown, rated and linked is still the one before.
  const shownKey = row && answer.isPlaceholderData ? keyOf(row) : requestId;
  const stepped = useSteps(requestId, row);
  usePublish({});
  return (
    <>
      <OwnBar>
        <Link to="/requests" search={(old) => old} className={css["back"] ?? ""}>
          ← Requests
        </Link>
        <span className={css["steps"]}>
          {stepped.end && <span role="status">{stepped.end}</span>}
          <Button onClick={() => stepped.step(-1)} title="Previous request (k)" aria-label="Previous request">
            ↑
          </Button>
          <Button onClick={() => stepped.step(1)} title="Next request (j)" aria-label="Next request">
            ↓
          </Button>
        </span>
        <Share />
      </OwnBar>
      <header className={classes(css["top"], answer.isPlaceholderData && ui["stale"])}>
        <Heading row={row} requestKey={shownKey} zone={zone} />
      </header>
      {answer.error ? (
        <ErrorNote error={answer.error} retry={answer.refetch} />
      ) : (
        <div className={classes(css["columns"], answer.isPlaceholderData && ui["stale"])} aria-busy={answer.isPending}>
          <div className={css["said"]}>
            <Card title="Conversation" note={row && <RawLink requestKey={shownKey} />}>
              {row ? <Conversation row={row} /> : <ConversationSkeleton />}
            </Card>
            <div className={css["about"]}>
              <Card title="Timing">{row ? <Timing row={row} zone={zone} /> : <Skeleton height={104} />}</Card>
              {row && <Usage row={row} />}
              {row && <Properties row={row} />}
              {row && <Feedback key={shownKey} row={row} requestKey={shownKey} />}
            </div>
          </div>
          <div className={css["side"]}>
            <Receipt requestKey={requestId} zone={zone} />
            {row && <Attempts row={row} />}
            {row ? (
              <Origin row={row} />
            ) : (
              <Card title="Request">
                <Skeleton height={300} />
              </Card>
            )}
          </div>
        </div>
      )}
    </>
  );
}

function Heading({ row, requestKey, zone }: { row: OneRequest | undefined; requestKey: string; zone: string }) {
  if (!row) {
    return (
      <div className={css["title"]}>
        <h1>Request</h1>
      </div>
    );
  }
  const status = Number(row.response_status);
  return (
    <>
      <div className={css["title"]}>
        <h1 title={exactMoney(row.cost_usd)}>
          <Cost value={row.cost_usd} />
        </h1>
        <Tag kind={row.outcome === "cached" ? "good" : status >= FAILED || status < 0 ? "bad" : "good"}>
          {OUTCOMES[row.outcome] ?? String(status)}
        </Tag>
        <span className={css["sub"]}>
          {[
            row.model || row.request_model,
            row.total_tokens === null ? "" : pluralize(row.total_tokens, "token"),
            milliseconds(row.delay_ms),
            absolute(row.request_created_at, zone),
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </div>
      <code className={css["id"]}>{parseKey(requestKey).id}</code>
      {(row.also_created_at ?? []).length > 0 && (
        <p className={css["soft"]}>
          This id was used again, each time for a request with a cost of its own:{" "}
          {row.also_created_at?.slice(0, 5).map((createdAt) => (
            <Link
              key={createdAt}
              to="/requests/$requestId"
              params={{ requestId: keyOf({ request_id: row.request_id, request_created_at: createdAt }) }}
              search={(old) => old}
            >
              {absolute(createdAt, zone)}{" "}
            </Link>
          ))}
        </p>
      )}
    </>
  );
}

const OUTCOMES: Record<string, string> = {
  cached: "from the cache",
  timed_out: "timed out",
  client_disconnected: "client disconnected",
  refused: "refused",
};

function RawLink({ requestKey }: { requestKey: string }) {
  return (
    <a href={addressOf(requestKey, "", { includeBody: "true" })} target="_blank" rel="noreferrer">
      Raw JSON
    </a>
  );
}

function ConversationSkeleton() {
  return (
    <div className={css["skeletons"]}>
      {[64, 120, 200, 64].map((height, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <Skeleton key={index} height={height} />
      ))}
    </div>
  );
}

/** `j` and `k` through the list that the request was opened from, else through time; Esc goes up. */
function useSteps(requestId: string, row: OneRequest | undefined) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const up = useUp();
  const { filter, zone } = useView();
  const [end, setEnd] = useState("");
  const step = useCallback(
    async (direction: 1 | -1) => {
      setEnd("");
      const createdAt = parseKey(requestId).createdAt ?? row?.request_created_at;
      const at = { id: parseKey(requestId).id, createdAt: createdAt ?? "" };
      const beside =
        besideInList(requestId, direction) ??
        (createdAt
          ? await neighbourOf(at, direction, { filter, timeZone: zone }).catch((error: Error) => error)
          : undefined);
      if (beside instanceof Error) {
        endSession(client, beside);
        return setEnd(beside.message);
      }
      if (!beside) return setEnd(direction > 0 ? "This is the oldest." : "This is the newest.");
      void navigate({ to: "/requests/$requestId", params: { requestId: beside }, search: (old) => old });
    },
    [navigate, client, requestId, row?.request_created_at, filter, zone],
  );
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      if (event.key === "Escape") up();
      else if (event.key === "j") void step(1);
      else if (event.key === "k") void step(-1);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [up, step]);
  return { step: (direction: 1 | -1) => void step(direction), end };
}
