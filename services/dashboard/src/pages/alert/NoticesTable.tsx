/** Messages of an alert through each channel, with what became of every attempt. */
import type { Alert, Delivery } from "../../api/alerts";
import { pluralize } from "../../format/format";
import { absolute, relative } from "../../format/time";
import { Sheet } from "../../ui/Sheet";
import { classes, Empty, Tag } from "../../ui/ui";
import { useChannelNames } from "../alerts/index";
import css from "./alert.module.css";
import { useOwnChannels } from "./ownChannels";
import { sentence } from "./words";

const HEADS = [{ title: "when" }, { title: "message" }, { title: "outcome" }];
const KINDS: Readonly<Record<string, string>> = { escalated: "further step", no_data: "no data" };

interface Props {
  alert: Pick<Alert, "id" | "channel_ids">;
  deliveries: readonly Delivery[];
  zone: string;
}

export function NoticesTable({ alert, deliveries, zone }: Props) {
  const names = useOwnChannels(alert.id);
  const now = Date.now();
  if (!deliveries.length)
    return (
      <Empty>{alert.channel_ids.length ? "No notice was sent yet." : "It has no channel: nobody is notified."}</Empty>
    );
  return (
    <Sheet label="Notices" name="notices" heads={HEADS}>
      <tbody>
        {deliveries.map((one) => (
          <tr key={`${one.notice_id} ${one.channel_id}`}>
            <td title={absolute(one.created_at, zone)}>{relative(one.created_at, now, zone)}</td>
            <td className={css["outcome"]}>
              {KINDS[one.kind] ?? one.kind}
              <small>to {names ? (names.get(one.channel_id) ?? <Other id={one.channel_id} />) : "…"}</small>
            </td>
            <td className={css["outcome"]}>
              <Outcome of={one} zone={zone} />
            </td>
          </tr>
        ))}
      </tbody>
    </Sheet>
  );
}

/** One that the alert does not tell any more. */
function Other({ id }: { id: string }) {
  const names = useChannelNames();
  return <>{names ? (names.get(id) ?? "a removed channel") : "…"}</>;
}

const TAGS: Readonly<Record<string, "good" | "bad" | "warn">> = { delivered: "good", failed: "bad", waiting: "warn" };

function Outcome({ of: delivery, zone }: { of: Delivery; zone: string }) {
  const { state, attempts, due_at: due } = delivery;
  const last = attempts.at(-1);
  return (
    <>
      <Tag kind={TAGS[state]}>{state}</Tag>
      <small title={attempts.map((one) => attemptText(one, zone)).join("\n")}>
        {attempts.length ? pluralize(attempts.length, "attempt") : "no attempt yet"}
        {last?.status ? `, status ${last.status}` : ""}
        {due && attempts.length > 0 ? `, again ${absolute(due, zone).slice(-8)}` : ""}
      </small>
      {last?.error && <small className={classes(state === "failed" && css["bad"])}>{sentence(last.error)}</small>}
    </>
  );
}

function attemptText(attempt: Delivery["attempts"][number], zone: string): string {
  const parts = [`${attempt.number}.`, absolute(attempt.at, zone), attempt.outcome, attempt.error];
  return parts.filter(Boolean).join(" ");
}
