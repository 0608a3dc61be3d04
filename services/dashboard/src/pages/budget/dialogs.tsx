/** Another limit for a while, and the end of a budget. */
import { type FormEvent, useState } from "react";
import { type Budget, override, remove, useBudgetChange } from "../../api/budgets";
import { digitsOf } from "../../format/decimal";
import { money } from "../../format/format";
import { instantIn, localIn } from "../../format/instant";
import { Actions, Dialog, Field, Fields, FormEnd, Note, Refusal } from "../../ui/Dialog";
import { faultsOf } from "../../ui/faults";
import { Button } from "../../ui/ui";
import css from "./budget.module.css";

interface Props {
  budget: Budget;
  onClose: () => void;
}

const DAY_MS = 86_400_000;

export function OverrideDialog({ budget, zone, onClose }: Props & { zone: string }) {
  const saving = useBudgetChange();
  const [fault, setFault] = useState<Error | null>(null);
  const faults = faultsOf(fault ?? saving.error, ["limit_usd", "until"]);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const until = instantIn(zone, String(form.get("until")));
    if (!until) return setFault(new Error("until: expected a date and a time"));
    setFault(null);
    saving.mutate(override(budget.id, String(form.get("limit")).replace(/^\$/, ""), until), {
      onSuccess: () => onClose(),
    });
  }

  return (
    <Dialog title={`Another limit of ${budget.name}, for a while`} onClose={onClose}>
      <form onSubmit={submit}>
        <Note>Its own limit of {money(budget.limit_usd)} holds again at that time, by itself.</Note>
        <Fields>
          <Field label="Amount" hint="US dollars" fault={faults.of("limit_usd")}>
            <input name="limit" required inputMode="decimal" defaultValue={digitsOf(budget.limit_usd)} />
          </Field>
          <Field label="Until" hint={`in ${zone.replaceAll("_", " ")}`} fault={faults.of("until")}>
            <input
              name="until"
              type="datetime-local"
              required
              defaultValue={localIn(zone, new Date(Date.now() + DAY_MS).toISOString())}
            />
          </Field>
        </Fields>
        <FormEnd error={faults.other} isSaving={saving.isPending} onClose={onClose}>
          Override
        </FormEnd>
      </form>
    </Dialog>
  );
}

export function RemoveDialog({ budget, onClose, onRemoved }: Props & { onRemoved: () => void }) {
  const removing = useBudgetChange<unknown>();
  return (
    <Dialog title={`Delete ${budget.name}?`} onClose={onClose}>
      <Note>
        Nothing is refused for it any more, within five seconds. Requests that it acted on keep its name; its counters
        are forgotten.
      </Note>
      <Refusal error={removing.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          className={css["danger"] ?? ""}
          disabled={removing.isPending}
          onClick={() => removing.mutate(remove(budget.id), { onSuccess: onRemoved })}
        >
          {removing.isPending ? "Deleting…" : "Delete budget"}
        </Button>
      </Actions>
    </Dialog>
  );
}
