/** What every request is charged by: prices in force, the organization's own, what has none, and charging again. */
import { type ReactNode, useState } from "react";
import {
  isUnderWay,
  type OwnPrice,
  type Reprice,
  type RepriceBody,
  type UsedPrice,
  useEndPrice,
  useOwnPrices,
  useReprices,
  useUndoReprice,
  useUsedPrices,
} from "../../api/prices";
import { useSession, useUnknown } from "../../api/queries";
import { count, pluralize } from "../../format/format";
import { absolute, relative } from "../../format/time";
import { usePublish } from "../../frame/published";
import { sinceOf, timeFilterOf } from "../../state/range";
import { currentMinute, useView } from "../../state/view";
import { Actions, Dialog, Note, Refusal } from "../../ui/Dialog";
import { ShareBar } from "../../ui/GroupTable";
import { Sheet } from "../../ui/Sheet";
import grid from "../../ui/table.module.css";
import { Button, Card, Cost, classes, Empty, Loaded, Tag } from "../../ui/ui";
import { PriceDialog, RepriceDialog } from "./PriceDialog";
import type { Wanted } from "./PriceForm";
import css from "./prices.module.css";
import { otherRates, Rate } from "./rates";
import { UnpricedModels } from "./Unpriced";

const SHOWN = 12;
/** What is counted here, whatever the range of the other pages. */
const COUNTED = { range: "28d", from: undefined, to: undefined, at: undefined } as const;

export default function Prices() {
  const { zone } = useView();
  const isAdmin = useSession().data?.permission === "admin";
  // The same days as those of the range with that name.
  const since = sinceOf(timeFilterOf({ range: COUNTED.range }, zone, currentMinute()));
  const used = useUsedPrices(since, zone);
  const unknown = useUnknown(since, zone);
  const own = useOwnPrices();
  const runs = useReprices();
  const [wanted, setWanted] = useState<Wanted>();
  const [again, setAgain] = useState<RepriceBody>();
  usePublish({ seal: used.data?.seal });
  return (
    <>
      <div className={css["top"]}>
        <h1>Prices</h1>
        <span className={css["soft"]}>of the requests of the last 28 days</span>
        {isAdmin ? (
          <span className={css["tools"]}>
            <Button onClick={() => setAgain({ model: "*", provider: "", since, time_zone: zone })}>
              Charge all again
            </Button>
            <Button kind="primary" onClick={() => setWanted({ model: "", provider: "" })}>
              Add a price
            </Button>
          </span>
        ) : (
          <span className={classes(css["tools"], css["soft"])}>Your key may read: an admin key changes prices.</span>
        )}
      </div>
      <Loaded answer={unknown} height={96}>
        {({ data }) =>
          data.models.length ? (
            <Card
              title="Without a price"
              note={`in no total: ${count(data.unpriced_requests)} of ${pluralize(data.requests, "request")}`}
            >
              <UnpricedModels models={data.models} zone={zone} range={COUNTED} />
            </Card>
          ) : null
        }
      </Loaded>
      <Card title="Models in use" note="US dollars for a million tokens" flush>
        <div className={css["inset"]}>
          <Loaded answer={used} height={420}>
            {({ data }) =>
              data.models.length ? (
                <UsedTable models={data.models} total={data.cost_usd} />
              ) : (
                <Empty>No request in the last 28 days.</Empty>
              )
            }
          </Loaded>
        </div>
      </Card>
      <Card title="Your own prices" note="they replace all others of the same models" flush>
        <div className={css["inset"]}>
          <Loaded answer={own} height={96}>
            {({ data }) =>
              data.rows.length ? (
                <OwnTable rows={data.rows} zone={zone} isAdmin={isAdmin} />
              ) : (
                <Empty>None: every model is charged by the shipped prices.</Empty>
              )
            }
          </Loaded>
        </div>
      </Card>
      <Card title="Charged again" note="each run can be undone, the latest first" flush>
        <div className={css["inset"]}>
          <Loaded answer={runs} height={96}>
            {({ data }) => <Runs runs={data.filter((run) => !run.dry_run)} zone={zone} isAdmin={isAdmin} />}
          </Loaded>
        </div>
      </Card>
      {wanted && <PriceDialog wanted={wanted} zone={zone} onClose={() => setWanted(undefined)} />}
      {again && <RepriceDialog body={again} onClose={() => setAgain(undefined)} />}
    </>
  );
}

const USED_HEADS = [
  { title: "model" },
  { title: "input", isFigure: true },
  { title: "cached", isFigure: true, className: css["optional"] },
  { title: "output", isFigure: true },
  { title: "source", className: css["wide"] },
  { title: "requests", isFigure: true, className: css["optional"] },
  { title: "cost", isFigure: true },
  { title: "share", isFigure: true, className: css["optional"] },
];

function UsedTable({ models, total }: { models: readonly UsedPrice[]; total: UsedPrice["cost_usd"] }) {
  const unpriced = models.reduce((all, { unpriced_requests }) => all + Number(unpriced_requests), 0);
  const [isWhole, setWhole] = useState(false);
  const dearest = [...models].sort((left, right) => Number(right.cost_usd ?? 0) - Number(left.cost_usd ?? 0));
  const shown = isWhole ? dearest : dearest.slice(0, SHOWN);
  return (
    <Sheet label="Models in use" name="used" className={css["table"]} heads={USED_HEADS}>
      <tbody>
        {shown.map((one) => (
          <tr key={`${one.provider}\0${one.model}`} data-model={one.model}>
            <td className={css["model"]}>
              <span>{one.model || "(no model)"}</span>
              <small>{one.provider}</small>
            </td>
            {one.price ? (
              <>
                <td className={grid["figure"]}>
                  <Rate price={one.price} of="prompt_tokens" />
                </td>
                <td className={classes(grid["figure"], css["optional"])}>
                  <Rate price={one.price} of="prompt_cache_read_tokens" />
                </td>
                <td className={grid["figure"]}>
                  <Rate price={one.price} of="completion_tokens" />
                </td>
              </>
            ) : (
              <>
                <td className={grid["figure"]} colSpan={2}>
                  <Tag kind="warn">no price</Tag>
                </td>
                <td className={css["optional"]} />
              </>
            )}
            <td className={css["wide"]}>{one.price && <Source price={one.price} />}</td>
            <td className={classes(grid["figure"], css["optional"])}>{count(one.requests)}</td>
            <td className={grid["figure"]}>
              <Cost value={one.cost_usd} unpriced={one.unpriced_requests} />
            </td>
            <td className={classes(grid["figure"], grid["share"], css["optional"])}>
              <ShareBar part={one.price ? one.cost_usd : null} of={total} />
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr className={css["strong"]}>
          <td>
            {models.length > SHOWN ? (
              <Button kind="quiet" className={css["more"] ?? ""} onClick={() => setWhole(!isWhole)}>
                {isWhole ? "Show fewer" : `Show all ${models.length} models`}
              </Button>
            ) : (
              "Total"
            )}
          </td>
          <td colSpan={2} />
          <td className={css["optional"]} />
          <td className={css["wide"]} />
          <td className={css["optional"]} />
          <td className={grid["figure"]} data-total="used">
            <Cost value={total} unpriced={unpriced} />
          </td>
          <td className={css["optional"]} />
        </tr>
      </tfoot>
    </Sheet>
  );
}

function Source({ price }: { price: NonNullable<UsedPrice["price"]> }) {
  const more = otherRates(price as never);
  const dated = price.valid_from ? `valid from ${price.valid_from.slice(0, 10)}` : "valid at any time";
  return (
    <span className={css["source"]} title={more || undefined}>
      {price.source === "operator" ? (
        <Tag kind="good">your own</Tag>
      ) : price.page_url ? (
        <a href={price.page_url} target="_blank" rel="noreferrer" title={`The seller's page: ${price.page_url}`}>
          {price.source}
        </a>
      ) : (
        price.source
      )}
      <small>{price.checked_on ? `checked on ${price.checked_on}` : dated}</small>
    </span>
  );
}

const OWN_HEADS = [
  { title: "model" },
  { title: "input", isFigure: true },
  { title: "cached", isFigure: true, className: css["optional"] },
  { title: "output", isFigure: true },
  { title: "valid" },
  { title: "what can be done", isHidden: true },
];

function OwnTable({ rows, zone, isAdmin }: { rows: readonly OwnPrice[]; zone: string; isAdmin: boolean }) {
  const [ending, setEnding] = useState<OwnPrice>();
  const now = Date.now();
  return (
    <>
      <Sheet label="Your own prices" name="own" className={css["table"]} heads={OWN_HEADS}>
        <tbody>
          {[...rows].reverse().map((row) => {
            const isOver = row.valid_until !== null && Date.parse(row.valid_until) <= now;
            return (
              <tr key={row.row_id} className={isOver ? css["over"] : undefined}>
                <td className={css["model"]} title={otherRates(row) || undefined}>
                  <span>{row.model}</span>
                  <small>{[row.provider || "any provider", row.service_tier].filter(Boolean).join(", ")}</small>
                </td>
                {(["prompt_tokens", "prompt_cache_read_tokens", "completion_tokens"] as const).map((name) => (
                  <td
                    key={name}
                    className={classes(grid["figure"], name === "prompt_cache_read_tokens" && css["optional"])}
                  >
                    <Rate price={row} of={name} />
                  </td>
                ))}
                <td className={css["valid"]}>
                  <span>from {row.valid_from ? absolute(row.valid_from, zone) : "the beginning"}</span>
                  {row.valid_until && <small>until {absolute(row.valid_until, zone)}</small>}
                </td>
                <td className={grid["figure"]}>
                  {isAdmin && !isOver && <Button onClick={() => setEnding(row)}>End</Button>}
                  {isOver && <Tag>ended</Tag>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </Sheet>
      {ending && <EndDialog price={ending} onClose={() => setEnding(undefined)} />}
    </>
  );
}

function EndDialog({ price, onClose }: { price: OwnPrice; onClose: () => void }) {
  const end = useEndPrice();
  return (
    <Dialog title={`End the price of ${price.model}`} onClose={onClose}>
      <Note>
        It holds for no request from now on; what was charged stays. The row is kept, and the price below it, if there
        is one, takes its place.
      </Note>
      <Refusal error={end.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          disabled={end.isPending}
          onClick={() => end.mutate(price.row_id, { onSuccess: () => onClose() })}
        >
          End it now
        </Button>
      </Actions>
    </Dialog>
  );
}

const STATES: Record<Reprice["state"], { title: string; kind?: "good" | "bad" | "warn" }> = {
  running: { title: "running", kind: "warn" },
  undoing: { title: "being undone", kind: "warn" },
  done: { title: "done", kind: "good" },
  failed: { title: "broke off", kind: "bad" },
  undone: { title: "undone" },
};

const RUNS_HEADS = [
  { title: "when" },
  { title: "models" },
  { title: "requests", isFigure: true, className: css["optional"] },
  { title: "changed", isFigure: true, className: css["optional"] },
  { title: "cost before", isFigure: true },
  { title: "after", isFigure: true },
  { title: "state" },
];

function Runs({ runs, zone, isAdmin }: { runs: readonly Reprice[]; zone: string; isAdmin: boolean }) {
  const undo = useUndoReprice();
  if (!runs.length) return <Empty>Nothing was charged again.</Empty>;
  const now = Date.now();
  return (
    <>
      <Sheet label="Charged again" name="runs" className={css["table"]} heads={RUNS_HEADS}>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id}>
              <td title={absolute(run.started_at, zone)}>{relative(run.started_at, now, zone)}</td>
              <td className={css["model"]}>
                <span>{run.model === "*" ? "all" : run.model}</span>
                <small>since {absolute(run.since, zone)}</small>
              </td>
              <td className={classes(grid["figure"], css["optional"])}>
                {count(isUnderWay(run) ? run.rows_done : run.rows_total)}
              </td>
              <td className={classes(grid["figure"], css["optional"])}>{run.total ? count(run.total.changed) : "–"}</td>
              <td className={grid["figure"]}>{run.total ? <Cost value={run.total.before_usd} /> : "–"}</td>
              <td className={grid["figure"]}>{run.total ? <Cost value={run.total.after_usd} /> : "–"}</td>
              <td className={css["state"]}>
                <State run={run} />
                {isAdmin && (run.state === "done" || run.state === "failed") && (
                  <Button onClick={() => undo.mutate(run.id)} disabled={undo.isPending}>
                    Undo
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </Sheet>
      <Refusal error={undo.error} />
    </>
  );
}

function State({ run }: { run: Reprice }): ReactNode {
  const { title, kind } = STATES[run.state];
  return (
    <span title={run.error || undefined}>
      <Tag kind={kind}>{title}</Tag>
    </span>
  );
}
