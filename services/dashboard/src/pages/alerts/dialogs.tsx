/** Muting an alert for a while, and removing one. */
import { useState } from "react";
import { type Alert, mute, remove, useAlertChange } from "../../api/alerts";
import { instantIn, localIn } from "../../format/instant";
import { shortly } from "../../format/time";
import { Actions, Dialog, Field, Fields, Note, Refusal } from "../../ui/Dialog";
import { Button } from "../../ui/ui";
import css from "./alerts.module.css";

interface Props {
  alert: Pick<Alert, "id" | "name" | "state">;
  onClose: () => void;
}

const HOUR_MS = 3_600_000;
const SPANS = [
  [1, "for an hour"],
  [4, "for four hours"],
  [24, "for a day"],
  [168, "for a week"],
] as const;

export function MuteDialog({ alert, zone, onClose }: Props & { zone: string }) {
  const change = useAlertChange();
  const [hours, setHours] = useState(4);
  const [until, setUntil] = useState("");
  const ends = hours ? new Date(Date.now() + hours * HOUR_MS).toISOString() : instantIn(zone, until);
  return (
    <Dialog title={`Mute ${alert.name}`} onClose={onClose}>
      <Note>
        No notice is sent until then, though it is still evaluated. When the mute ends, a notice of what still fires
        follows.
      </Note>
      <Fields>
        <Field label="Mute it" isWide>
          <select value={hours} onChange={(event) => setHours(Number(event.target.value))}>
            {SPANS.map(([span, title]) => (
              <option key={span} value={span}>
                {title}
              </option>
            ))}
            <option value={0}>until…</option>
          </select>
        </Field>
        {hours === 0 && (
          <Field label="Until" hint={zone.replaceAll("_", " ")} isWide>
            <input
              type="datetime-local"
              min={localIn(zone, new Date().toISOString())}
              value={until}
              onChange={(event) => setUntil(event.target.value)}
            />
          </Field>
        )}
      </Fields>
      <Refusal error={change.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          disabled={change.isPending || !ends}
          onClick={() => ends && change.mutate(mute(alert.id, ends), { onSuccess: onClose })}
        >
          {change.isPending ? "Muting…" : ends ? `Mute until ${shortly(ends, zone)}` : "Mute"}
        </Button>
      </Actions>
    </Dialog>
  );
}

export function RemoveDialog({ alert, onClose, onRemoved }: Props & { onRemoved?: () => void }) {
  const change = useAlertChange();
  return (
    <Dialog title={`Delete ${alert.name}?`} onClose={onClose}>
      <Note>It is evaluated no more, and nobody is notified again. When it fired stays in the history.</Note>
      <Refusal error={change.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          className={css["danger"] ?? ""}
          disabled={change.isPending}
          onClick={() => change.mutate(remove(alert.id), { onSuccess: onRemoved ?? onClose })}
        >
          {change.isPending ? "Deleting…" : "Delete alert"}
        </Button>
      </Actions>
    </Dialog>
  );
}
