import css from "./cache.module.css";
import { BY } from "./questions";

/** By feature, model or user. */
export function By({ value, onChange, label }: { value: string; onChange: (name: string) => void; label: string }) {
  return (
    <fieldset className={css["toggle"]} aria-label={label}>
      {BY.map(({ name, title }) => (
        <button key={name} type="button" aria-pressed={name === value} onClick={() => onChange(name)}>
          {title}
        </button>
      ))}
    </fieldset>
  );
}
