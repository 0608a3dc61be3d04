/** Charging again: what would change, then the run with its progress, and the way back. */
import { useEffect, useRef } from "react";
import {
  type Difference,
  isUnderWay,
  type Reprice,
  type RepriceBody,
  useBeginReprice,
  useForgetFigures,
  useReprice,
  useUndoReprice,
} from "../../api/prices";
import { difference, sum } from "../../format/decimal";
import { count, exactMoney, type Maybe, money, moneyChange, pluralize } from "../../format/format";
import { Actions, Note, Refusal } from "../../ui/Dialog";
import { Scroll } from "../../ui/Scroll";
import { Button, classes, Skeleton } from "../../ui/ui";
import css from "./prices.module.css";

export function RepriceSteps({ body, onClose }: { body: RepriceBody; onClose: () => void }) {
  const preview = useRun({ ...body, dry_run: true });
  const run = useRun({ ...body, dry_run: false });
  const begun = useRef(false);
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    preview.begin();
  });
  if (run.latest) return <Outcome run={run.latest} onClose={onClose} />;
  const found = preview.latest;
  const isReady = found?.state === "done";
  const changes = Number(found?.total?.changed ?? 0);
  return (
    <>
      <Note>
        What the requests of <code>{body.model}</code> {body.provider && <>({body.provider}) </>}would cost at the
        prices known now. Nothing has changed yet, and a run can be undone.
      </Note>
      {preview.error || found?.error ? null : isReady ? <Changes run={found} /> : <Progress run={found} />}
      <Refusal error={preview.error ?? run.error ?? (found?.error ? new Error(found.error) : null)} />
      <Actions>
        <Button onClick={onClose}>{isReady && !changes ? "Close" : "Not now"}</Button>
        {preview.error && <Button onClick={preview.begin}>Try again</Button>}
        {isReady && changes > 0 && (
          <Button kind="primary" onClick={run.begin} disabled={run.isPending}>
            {run.isPending ? "Charging again…" : `Charge ${pluralize(changes, "request")} again`}
          </Button>
        )}
      </Actions>
    </>
  );
}

/** A run from its first response to its last state. */
function useRun(body: RepriceBody & { dry_run: boolean }) {
  const { mutate, data, error, isPending } = useBeginReprice();
  const latest = useReprice(data) ?? data;
  return { begin: () => mutate(body), latest, error, isPending };
}

function Outcome({ run, onClose }: { run: Reprice; onClose: () => void }) {
  const undoing = useUndoReprice();
  const undone = useReprice(undoing.data) ?? undoing.data;
  const now = undone ?? run;
  const forget = useForgetFigures();
  const ended = !isUnderWay(now);
  // Not before it is closed: what opened this may be gone with the last model without a price.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, at the end
  useEffect(() => () => void forget(), []);
  if (!ended)
    return (
      <>
        <Progress run={now} />
        <Actions>
          <Button onClick={onClose}>Close; it goes on</Button>
        </Actions>
      </>
    );
  const sentence = {
    done: `Done: ${pluralize(now.total?.changed, "request")} charged again.`,
    undone: "Undone: the requests cost what they did before.",
    failed: "",
    running: "",
    undoing: "",
  }[now.state];
  return (
    <>
      {sentence && (
        <p className={css["done"]} role="status">
          {sentence}
        </p>
      )}
      {now.state === "done" && <Changes run={now} />}
      <Refusal error={undoing.error ?? (now.error ? new Error(now.error) : null)} />
      <Actions>
        {now.state !== "undone" && (
          <Button onClick={() => undoing.mutate(now.id)} disabled={undoing.isPending}>
            Undo
          </Button>
        )}
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </Actions>
    </>
  );
}

function Progress({ run }: { run: Reprice | undefined }) {
  if (!run) return <Skeleton height={150} />;
  const share = Number(run.rows_total) ? Number(run.rows_done) / Number(run.rows_total) : 0;
  const what = run.state === "undoing" ? "Undoing" : run.dry_run ? "Calculating" : "Charging again";
  return (
    <div className={css["progress"]} role="status">
      <span>
        {what}: {count(run.rows_done)} of {pluralize(run.rows_total, "request")}
      </span>
      <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width={share * 100} height="1" fill="var(--accent)" />
      </svg>
    </div>
  );
}

interface ModelChange {
  model: string;
  requests: number;
  before: Maybe;
  after: Maybe;
}

/** The days of each model together; exact. */
export function changesByModel(days: Reprice["days"]): ModelChange[] {
  const names = [...new Set(days.map(({ model }) => model))];
  return names.map((model) => {
    const own = days.filter((day) => day.model === model);
    const total = (amounts: Maybe[]) => {
      const known = amounts.flatMap((amount) => amount ?? []);
      return known.length ? sum(known) : null;
    };
    return {
      model,
      requests: own.reduce((all, day) => all + Number(day.changed), 0),
      before: total(own.map((day) => day.before_usd)),
      after: total(own.map((day) => day.after_usd)),
    };
  });
}

function Changes({ run }: { run: Reprice }) {
  const total = run.total as Difference | null;
  if (!total || !Number(total.changed))
    return (
      <p className={css["done"]}>
        {Number(total?.requests ?? 0)
          ? `Nothing changes: ${pluralize(total?.requests, "request")} looked at.`
          : "No request matches."}
      </p>
    );
  const models = changesByModel(run.days);
  return (
    <Scroll label="Changes">
      <table className={css["table"]} data-table="reprice">
        <thead>
          <tr>
            <th>model</th>
            <th className={css["figure"]}>requests</th>
            <th className={css["figure"]}>cost before</th>
            <th className={css["figure"]}>after</th>
            <th className={css["figure"]}>change</th>
          </tr>
        </thead>
        <tbody>
          {models.map((one) => (
            <tr key={one.model}>
              <td className={css["name"]}>{one.model || "(no model)"}</td>
              <td className={css["figure"]}>{count(one.requests)}</td>
              <Amount value={one.before} />
              <Amount value={one.after} />
              <td className={css["figure"]}>{moneyChange(difference(one.after ?? 0, one.before ?? 0), null)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr className={css["strong"]}>
            <td>All that match</td>
            <td className={css["figure"]}>{count(total.requests)}</td>
            <Amount value={total.before_usd} />
            <Amount value={total.after_usd} />
            <td className={css["figure"]} data-reprice-change={total.difference_usd ?? ""}>
              {moneyChange(total.difference_usd, null)}
            </td>
          </tr>
        </tfoot>
      </table>
      <p className={css["facts"]}>
        {[
          Number(total.newly_priced) && `${pluralize(total.newly_priced, "request")} without a cost get one`,
          Number(total.newly_unknown) && `${pluralize(total.newly_unknown, "request")} lose theirs`,
          Number(total.after_coverage.unpriced_requests) &&
            `still without one: ${count(total.after_coverage.unpriced_requests)}`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </Scroll>
  );
}

function Amount({ value }: { value: Maybe }) {
  const isUnknown = value === null || value === undefined;
  return (
    <td className={classes(css["figure"], isUnknown && css["unknown"])} title={exactMoney(value)}>
      {money(value)}
    </td>
  );
}
