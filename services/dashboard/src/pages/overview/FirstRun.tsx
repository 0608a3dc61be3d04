/** Before the first request: what to type, with this deployment's own address and key; then the request itself. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useLayoutEffect, useState } from "react";
import { useSession } from "../../api/queries";
import { keyOf, newestUntil, type RequestRow } from "../../api/requests";
import { count, milliseconds } from "../../format/format";
import { typedKey } from "../../state/typed";
import { useView } from "../../state/view";
import { CopyButton } from "../../ui/CopyButton";
import { Button, Card, Cost, classes, Skeleton } from "../../ui/ui";
import { type Arrival, arrivalAfter } from "./arrival";
import css from "./first.module.css";
import { masked, proxyUrl, snippets } from "./snippets";

const EVERY_MS = 2_000;

export function FirstRun({ onSeen }: { onSeen: () => void }) {
  const { zone } = useView();
  const first = useQuery({
    queryKey: ["first-request"],
    queryFn: ({ signal }) => newestUntil(new Set(), { filter: "all", sort: {}, timeZone: zone }, signal),
    refetchInterval: ({ state }) => (state.data?.rows.length ? false : EVERY_MS),
  });
  const [arrival, setArrival] = useState<Arrival>("unknown");
  const next = arrivalAfter(arrival, first.data?.rows.length);
  if (next !== arrival) setArrival(next);
  // An organization that was idle for a month has nothing to wait for.
  useLayoutEffect(() => {
    if (arrival === "before") onSeen();
  });
  if (arrival === "before" || !first.isFetched) return <Skeleton height={300} />;
  const row = first.data?.rows.at(-1);
  return (
    <div className={css["first"]}>
      <h1>{row ? "The first request is here" : "Send the first request"}</h1>
      <p className={css["lead"]}>
        {row
          ? "It passed the proxy, was priced, and is counted. All that follow appear the same way."
          : "Applications keep their provider's SDK. They use another base URL, and one more header."}
      </p>
      <Steps hasCome={row !== undefined} />
      {row ? <Arrived row={row} onSeen={onSeen} /> : <HowTo />}
    </div>
  );
}

function Steps({ hasCome }: { hasCome: boolean }) {
  return (
    <ol className={css["steps"]}>
      <li data-state="done">Farebox runs</li>
      <li data-state="done">You are signed in</li>
      <li data-state={hasCome ? "done" : "now"}>
        <span role="status">{hasCome ? "The first request came" : "Waiting for the first request"}</span>
      </li>
    </ol>
  );
}

function HowTo() {
  const session = useSession().data;
  const key = typedKey();
  const [name, setName] = useState("curl");
  const [isShown, setShown] = useState(false);
  const proxy = proxyUrl(session?.proxy_url ?? "", window.location);
  const maySend = session?.permission !== "r";
  const used = maySend ? key : "";
  const text = snippets(proxy, used && !isShown ? masked(used) : used)[name] ?? "";

  return (
    <Card
      title={proxy}
      note={
        <span className={css["toggle"]}>
          {Object.keys(snippets("", "")).map((each) => (
            <button key={each} type="button" aria-pressed={each === name} onClick={() => setName(each)}>
              {each}
            </button>
          ))}
        </span>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long line is scrolled by key */}
      <pre tabIndex={0} data-snippet={name}>
        {text}
      </pre>
      <div className={css["row"]}>
        <p className={css["key"]}>
          <KeyNote hint={session?.hint ?? ""} typed={key} maySend={maySend} />
        </p>
        {used && <Button onClick={() => setShown(!isShown)}>{isShown ? "Hide the key" : "Show the key"}</Button>}
        <CopyButton kind="primary" text={() => snippets(proxy, used)[name] ?? ""}>
          Copy
        </CopyButton>
      </div>
    </Card>
  );
}

/** Where the key is. The server keeps no key that it could show. */
function KeyNote({ hint, typed, maySend }: { hint: string; typed: string; maySend: boolean }) {
  if (!maySend) {
    return (
      <>
        The key of this session may only read. <code>farebox keys create --name app --permission rw</code> makes one
        that may send: put it in <code>HELICONE_API_KEY</code>.
      </>
    );
  }
  if (typed) return <>The key is the one that you signed in with. It is kept in the memory of this page only.</>;
  return (
    <>
      Put the key that you signed in with, which ends in <code>{hint}</code>, in <code>HELICONE_API_KEY</code>. The key
      of the first start is in the file <code>api-key</code> of the data folder.
    </>
  );
}

function Arrived({ row, onSeen }: { row: RequestRow; onSeen: () => void }) {
  return (
    <Card title={row.model || row.request_model} note={row.request_user_id || undefined} className={css["arrived"]}>
      <dl className={css["figures"]}>
        <dt>cost</dt>
        <dd>
          <Cost value={row.cost_usd} />
        </dd>
        <dt>tokens</dt>
        <dd>{count(row.total_tokens)}</dd>
        <dt>latency</dt>
        <dd>{milliseconds(row.delay_ms)}</dd>
        <dt>status</dt>
        <dd>{String(row.response_status)}</dd>
      </dl>
      <div className={css["row"]}>
        <Link to="/requests/$requestId" params={{ requestId: keyOf(row) }} className={classes(css["open"])}>
          Open its receipt
        </Link>
        <Button kind="primary" onClick={onSeen}>
          To the overview
        </Button>
      </div>
    </Card>
  );
}
