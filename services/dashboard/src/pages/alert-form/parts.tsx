/** What the parts of the form share. */
import type { ReactNode } from "react";
import { classes } from "../../ui/ui";
import type { Draft } from "./draft";
import type { Faults } from "./faults";
import css from "./form.module.css";

export interface PartProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  setDraft: (change: (old: Draft) => Draft) => void;
  faults: Faults;
}

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <fieldset className={css["part"]}>
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}

interface ChoiceProps<Value extends string> {
  label: string;
  value: Value;
  options: readonly (readonly [value: Value, title: string])[];
  onChoose: (value: Value) => void;
}

/** One of a few, all of them in sight. */
export function Choice<Value extends string>({ label, value, options, onChoose }: ChoiceProps<Value>) {
  return (
    <div className={css["choice"]} role="radiogroup" aria-label={label}>
      {options.map(([one, title]) => (
        <label key={one} className={classes(css["option"], one === value && css["chosen"])}>
          <input type="radio" name={label} checked={one === value} onChange={() => onChoose(one)} />
          {title}
        </label>
      ))}
    </div>
  );
}
