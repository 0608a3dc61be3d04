/** A budget as it is typed. What it counts never changes: of one that exists only the rest is asked for. */
import { type FormEvent, useState } from "react";
import { type Budget, change, create, useBudgetChange } from "../../api/budgets";
import { Dialog, Field, Fields, FormEnd, Note, Refusal } from "../../ui/Dialog";
import { type Faults, faultsOf } from "../../ui/faults";
import { ChannelPicker } from "../channels/ChannelPicker";
import { TagLines } from "../settings/tagLines";
import css from "./budgets.module.css";
import { changeBody, createBody, FIELDS, type FieldName, type Typed, typedOf } from "./form";
import { conditionText, forWhom, windowText } from "./words";

interface Props {
  budget?: Budget;
  zone: string;
  onClose: () => void;
}

export function BudgetDialog({ budget, zone, onClose }: Props) {
  const saving = useBudgetChange();
  const [fault, setFault] = useState<Error | null>(null);
  const begin = typedOf(budget, zone);
  const [channelIds, setChannelIds] = useState<readonly string[]>(begin.channels);
  const faults = faultsOf(fault ?? saving.error, FIELDS);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const typed: Typed = (name) => String(form.get(name) ?? "").trim();
    try {
      setFault(null);
      const what = budget ? change(budget.id, changeBody(typed, channelIds)) : create(createBody(typed, channelIds));
      saving.mutate(what, { onSuccess: () => onClose() });
    } catch (error) {
      setFault(new Error(`where: ${(error as Error).message}`));
    }
  }

  return (
    <Dialog title={budget ? `Edit ${budget.name}` : "Create a budget"} onClose={onClose} isWide>
      <form onSubmit={submit}>
        {budget && (
          <Note>
            For {forWhom(budget)}
            {conditionText(budget) && ` with ${conditionText(budget)}`}, {windowText(budget)}. What a budget counts
            never changes: another one counts something else.
          </Note>
        )}
        <Fields>
          {!budget && (
            <Field label="Name" hint="refusals and requests name it" fault={faults.of("name")}>
              <input name="name" required maxLength={100} placeholder="free tier" />
            </Field>
          )}
          <Field label="Amount" hint="US dollars in each window" fault={faults.of("limit_usd")}>
            <input
              name="limit"
              required
              inputMode="decimal"
              pattern="\$?[0-9]*[.]?[0-9]+"
              title="US dollars, such as 25 or 0.50"
              placeholder="25"
              defaultValue={begin.limit}
            />
          </Field>
          {!budget && <BudgetScope faults={faults} />}
          {!budget && <Window faults={faults} zone={zone} />}
          <Then begin={begin} faults={faults} />
          <Field
            label="Report at"
            hint="percents of the amount, each once a window, to the channels below"
            fault={faults.of("thresholds")}
            isWide
          >
            <input name="thresholds" defaultValue={begin.thresholds} placeholder="50, 80, 100" spellCheck={false} />
          </Field>
          <ChannelPicker chosen={channelIds} onChange={setChannelIds} />
        </Fields>
        <FormEnd error={faults.other} isSaving={saving.isPending} onClose={onClose}>
          {budget ? "Save" : "Create budget"}
        </FormEnd>
      </form>
    </Dialog>
  );
}

interface PartProps {
  faults: Faults<FieldName>;
}

/** Whose requests it counts. */
function BudgetScope({ faults }: PartProps) {
  const [segment, setSegment] = useState("organization");
  return (
    <>
      <Field label="For" isWide={segment === "organization"}>
        <select name="segment" value={segment} onChange={(event) => setSegment(event.target.value)}>
          <option value="organization">the whole organization</option>
          <option value="user">each user</option>
          <option value="key">each API key</option>
          <option value="session">each session</option>
          <option value="property">each value of a property</option>
        </select>
      </Field>
      {segment === "property" && (
        <Field label="Property" fault={faults.of("property")}>
          <input name="property" required maxLength={512} placeholder="Feature" spellCheck={false} />
        </Field>
      )}
      {segment !== "organization" && (
        <Field label="Only this one" hint="empty: each has the amount for itself" fault={faults.of("value")}>
          <input name="value" maxLength={512} spellCheck={false} />
        </Field>
      )}
      <div className={css["whole"]}>
        <TagLines
          name="where"
          label="Only requests with"
          hint="these properties; all where empty"
          placeholder="UserTier=free"
        />
        {faults.of("where") && <Refusal error={new Error(faults.of("where"))} />}
      </div>
    </>
  );
}

/** When it begins anew. */
function Window({ faults, zone }: PartProps & { zone: string }) {
  const [period, setPeriod] = useState("month");
  return (
    <>
      <Field label="Window">
        <select name="period" value={period} onChange={(event) => setPeriod(event.target.value)}>
          {["hour", "day", "week", "month", "quarter", "year"].map((unit) => (
            <option key={unit} value={unit}>
              each {unit}
            </option>
          ))}
          <option value="rolling">rolling: any stretch of a length</option>
        </select>
      </Field>
      {period === "rolling" ? (
        <Field label="Length" hint="a minute to 366 days" fault={faults.of("window_s")}>
          <RollingLength />
        </Field>
      ) : (
        <Field label="Time zone" hint="in which it begins" fault={faults.of("time_zone")}>
          <input name="zone" required maxLength={64} defaultValue={zone} spellCheck={false} />
        </Field>
      )}
    </>
  );
}

function RollingLength(described: { "aria-describedby"?: string | undefined; "aria-invalid"?: boolean | undefined }) {
  return (
    <span className={css["pair"]}>
      <input name="window" type="number" min={1} step="any" required defaultValue={28} {...described} />
      <select name="unit" defaultValue="days" aria-label="Unit of the length">
        <option value="minutes">minutes</option>
        <option value="hours">hours</option>
        <option value="days">days</option>
      </select>
    </span>
  );
}

/** What becomes of a request without room. */
function Then({ begin, faults }: PartProps & { begin: ReturnType<typeof typedOf> }) {
  const [action, setAction] = useState<string>(begin.action);
  return (
    <>
      <Field label="A request without room">
        <select name="action" value={action} onChange={(event) => setAction(event.target.value)}>
          <option value="notify">passes: only tell the channels</option>
          <option value="block">is refused with 429</option>
          <option value="fallback">is sent to a cheaper model</option>
        </select>
      </Field>
      {action === "fallback" ? (
        <Field label="Cheaper model" hint="of the same provider" fault={faults.of("fallback_model")}>
          <input name="model" required maxLength={512} defaultValue={begin.model} spellCheck={false} />
        </Field>
      ) : (
        <Field label="One whose cost has no upper bound" hint="no price, or a body that cannot be read">
          <select name="unknown" defaultValue={begin.unknown}>
            <option value="pass">passes while anything is left</option>
            <option value="block">is treated as without room</option>
          </select>
        </Field>
      )}
      {action === "fallback" && <input type="hidden" name="unknown" value={begin.unknown} />}
      <label className={`${css["plain"]} ${css["whole"]}`}>
        <input name="shadow" type="checkbox" defaultChecked={begin.shadow} />
        Shadow: record what it would do, and do nothing
      </label>
    </>
  );
}
