/** Over which time, and from which threshold on. */
import { Fault, Field, Fields } from "../../ui/Dialog";
import { Button } from "../../ui/ui";
import { metricOf, UNIT_NAMES } from "../alerts/metrics";
import { type Draft, type Level, type Step, UNITS_MS, withCondition } from "./draft";
import css from "./form.module.css";
import { Choice, Part, type PartProps } from "./parts";

const CONDITIONS = [
  ["threshold", "it reaches a threshold"],
  ["forecast", "it is on its way there"],
  ["anomaly", "it is unusual"],
] as const;
const CONDITION_HINTS: Record<Draft["condition"], string> = {
  threshold: "what has come in the window is compared",
  forecast: "what a sum will be when its calendar window ends, at the pace of its whole hours or days",
  anomaly: "above what is usual for the hour and the weekday; there is no threshold to choose",
};
const WINDOWS = [
  ["rolling", "the last"],
  ["calendar", "a calendar…"],
] as const;
const CALENDARS = ["hour", "day", "week", "month", "quarter"] as const;
const KINDS = [
  ["one", "one"],
  ["percents", "in steps of percent"],
  ["values", "several"],
] as const;
const ZONES = [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])];

export function When({ draft, set, setDraft, faults }: PartProps) {
  const isAnomaly = draft.condition === "anomaly";
  return (
    <Part title="When it fires">
      <div className={css["field"]}>
        <span className={css["label"]}>When</span>
        <Choice
          label="When"
          value={draft.condition}
          options={CONDITIONS}
          onChoose={(condition) => setDraft((old) => withCondition(old, condition))}
        />
        {faults["condition"] ? <Fault>{faults["condition"]}</Fault> : <small>{CONDITION_HINTS[draft.condition]}</small>}
      </div>
      <WindowFields {...{ draft, set, setDraft, faults }} />
      {isAnomaly ? (
        <Fields>
          <LevelField label="Level" usual="warning" value={draft.level} onChange={(level) => set({ level })} />
        </Fields>
      ) : (
        <Thresholds {...{ draft, set, setDraft, faults }} />
      )}
      <Fields>
        <Field label="Only from so many requests on" hint="in the window; empty: any" fault={faults["minimum"]}>
          <input
            inputMode="numeric"
            value={draft.minimum}
            placeholder="0"
            onChange={(event) => set({ minimum: event.target.value })}
          />
        </Field>
      </Fields>
    </Part>
  );
}

function WindowFields({ draft, set, faults }: PartProps) {
  return (
    <div className={css["field"]}>
      <span className={css["label"]}>Over</span>
      <div className={css["row"]}>
        <Choice label="Window" value={draft.window} options={WINDOWS} onChoose={(window) => set({ window })} />
        {draft.window === "rolling" ? (
          <>
            <input
              aria-label="Length"
              aria-invalid={faults["window"] !== undefined}
              className={css["short"]}
              inputMode="decimal"
              value={draft.length}
              onChange={(event) => set({ length: event.target.value })}
            />
            <select
              aria-label="Unit"
              value={draft.unit}
              onChange={(event) => set({ unit: event.target.value as Draft["unit"] })}
            >
              {Object.keys(UNITS_MS).map((unit) => (
                <option key={unit}>{unit}</option>
              ))}
            </select>
          </>
        ) : (
          <>
            <select
              aria-label="Calendar"
              value={draft.calendar}
              onChange={(event) => set({ calendar: event.target.value as Draft["calendar"] })}
            >
              {CALENDARS.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
            <select
              aria-label="Time zone"
              aria-invalid={faults["zone"] !== undefined}
              value={draft.zone}
              onChange={(event) => set({ zone: event.target.value })}
            >
              {(ZONES.includes(draft.zone) ? ZONES : [draft.zone, ...ZONES]).map((zone) => (
                <option key={zone} value={zone}>
                  {zone.replaceAll("_", " ")}
                </option>
              ))}
            </select>
          </>
        )}
      </div>
      {faults["window"] && <Fault>{faults["window"]}</Fault>}
      {faults["zone"] && <Fault>{faults["zone"]}</Fault>}
    </div>
  );
}

function Thresholds({ draft, set, faults }: PartProps) {
  const { unit } = metricOf(draft.metric);
  const isStepped = draft.kind !== "one";
  return (
    <>
      <div className={css["field"]}>
        <span className={css["label"]}>Thresholds</span>
        <div className={css["row"]}>
          <Choice label="Thresholds" value={draft.kind} options={KINDS} onChoose={(kind) => set({ kind })} />
          {draft.condition === "threshold" && (
            <select
              aria-label="Side"
              value={draft.direction}
              onChange={(event) => set({ direction: event.target.value as Draft["direction"] })}
            >
              <option value="above">at or above</option>
              <option value="below">at or below</option>
            </select>
          )}
        </div>
        {faults["direction"] && <Fault>{faults["direction"]}</Fault>}
      </div>
      {draft.kind !== "values" && (
        <Fields>
          <Field
            label={isStepped ? "100 percent are" : "Threshold"}
            hint={UNIT_NAMES[unit] || metricOf(draft.metric).title}
            fault={faults["threshold"]}
          >
            <input
              inputMode="decimal"
              value={draft.threshold}
              placeholder={unit === "usd" ? "100" : unit === "share" ? "5" : "1000"}
              onChange={(event) => set({ threshold: event.target.value })}
            />
          </Field>
          {!isStepped && (
            <LevelField label="Level" usual="critical" value={draft.level} onChange={(level) => set({ level })} />
          )}
        </Fields>
      )}
      {isStepped && <Steps {...{ draft, set, faults }} />}
    </>
  );
}

/** People are notified of each once in a window; the last ones are critical unless it is said otherwise. */
function Steps({ draft, set, faults }: Pick<PartProps, "draft" | "set" | "faults">) {
  const { unit } = metricOf(draft.metric);
  const name = draft.kind === "percents" ? "percent" : UNIT_NAMES[unit] || metricOf(draft.metric).title;
  const change = (at: number, step: Partial<Step>) =>
    set({ steps: draft.steps.map((one, index) => (index === at ? { ...one, ...step } : one)) });
  return (
    <div className={css["field"]}>
      <span className={css["label"]}>Steps, in {name}</span>
      <ol className={css["steps"]}>
        {draft.steps.map((step, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a step is its place
          <li key={at}>
            <div className={css["row"]}>
              <input
                aria-label={`Step ${at + 1}`}
                aria-invalid={faults[`steps.${at}`] !== undefined}
                className={css["short"]}
                inputMode="decimal"
                value={step.amount}
                onChange={(event) => change(at, { amount: event.target.value })}
              />
              <LevelSelect
                label={`Level of step ${at + 1}`}
                usual="as usual"
                value={step.level}
                onChange={(level) => change(at, { level })}
              />
              <Button
                kind="quiet"
                aria-label={`Without step ${at + 1}`}
                onClick={() => set({ steps: draft.steps.filter((_, index) => index !== at) })}
              >
                ×
              </Button>
            </div>
            {faults[`steps.${at}`] && <Fault>{faults[`steps.${at}`]}</Fault>}
          </li>
        ))}
      </ol>
      <div>
        <Button onClick={() => set({ steps: [...draft.steps, { amount: "", level: "" }] })}>Add a step</Button>
      </div>
      {faults["steps"] && <Fault>{faults["steps"]}</Fault>}
    </div>
  );
}

interface LevelProps {
  label: string;
  /** What it is where nothing is chosen. */
  usual: string;
  value: Level;
  onChange: (level: Level) => void;
}

function LevelField(props: LevelProps) {
  return (
    <Field label={props.label}>
      <LevelSelect {...props} />
    </Field>
  );
}

function LevelSelect({ label, usual, value, onChange, ...described }: LevelProps) {
  return (
    <select {...described} aria-label={label} value={value} onChange={(event) => onChange(event.target.value as Level)}>
      <option value="">{usual}</option>
      <option value="WARNING">warning</option>
      <option value="CRITICAL">critical</option>
    </select>
  );
}
