/** Chips, and a field that suggests names and then values. */
import { type KeyboardEvent, useState } from "react";
import { useProperties, useValues } from "../api/queries";
import {
  COLUMNS,
  chipText,
  faultOf,
  kindOf,
  operatorsOf,
  parseChip,
  parseTyped,
  SIGNS,
  signOf,
  titleOf,
  writtenOf,
} from "../state/filter";
import { type Chip, type Operator, withChip, withoutChip } from "../state/search";
import { classes } from "../ui/ui";
import css from "./bar.module.css";
import { FILTER_ID } from "./keyboard";

interface Suggestion {
  key: string;
  text: string;
  hint: string;
  /** What is added by choosing it; else what is typed by it. */
  chip?: Chip;
  typed?: string;
}

const MOST = 12;
const NONE = "none";

interface Props {
  chips: readonly Chip[];
  onChange: (chips: Chip[] | undefined) => void;
}

export function Filter({ chips, onChange }: Props) {
  const [text, setText] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const suggestions = useSuggestions(text, isOpen);
  const typed = parseTyped(text);
  const fault = typed?.value && !suggestions.length ? faultOf(typed) : undefined;

  function add(chip: Chip) {
    onChange(withChip(chips, chip));
    setText("");
    setAt(0);
  }

  function choose(suggestion: Suggestion | undefined) {
    if (suggestion?.chip) return add(suggestion.chip);
    const chip = parseChip(text);
    if (chip && !suggestion) return add(chip);
    if (suggestion?.typed) setText(suggestion.typed);
  }

  function onKey(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setAt((at + step + suggestions.length) % Math.max(1, suggestions.length));
    } else if (event.key === "Enter") {
      event.preventDefault(); // of a form it is a part, and not the end
      choose(suggestions[at]);
    } else if (event.key === "Backspace" && !text && chips.length) onChange(withoutChip(chips, chips.at(-1) as Chip));
    else if (event.key === "Escape") {
      setText("");
      event.currentTarget.blur();
    }
  }

  return (
    <div className={classes(css["chips"], chips.length > 0 && css["given"])}>
      <span className={css["all"]}>
        {chips.map((chip) => (
          <span key={chip.join("\0")} className={css["chip"]} title={chipText(chip)}>
            <span>{chipText(chip)}</span>
            <button
              type="button"
              aria-label={`Remove ${chipText(chip)}`}
              onClick={() => onChange(withoutChip(chips, chip))}
            >
              ×
            </button>
          </span>
        ))}
      </span>
      <input
        id={FILTER_ID}
        value={text}
        role="combobox"
        aria-label="Filter"
        aria-expanded={isOpen && suggestions.length > 0}
        aria-controls="suggestions"
        aria-activedescendant={isOpen && suggestions[at] ? `suggestion-${at}` : undefined}
        autoComplete="off"
        placeholder={chips.length ? "and…" : "Filter: Feature=chat, model~gpt, cost_usd>0.5"}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      {isOpen && fault && (
        <p className={classes(css["suggestions"], css["fault"])} role="alert">
          {fault}
        </p>
      )}
      {isOpen && suggestions.length > 0 && (
        <div className={css["suggestions"]} id="suggestions" role="listbox" aria-label="Suggestions">
          {suggestions.map((suggestion, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
            <div
              key={suggestion.key}
              id={`suggestion-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === at}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(suggestion)}
            >
              <span>{suggestion.text}</span>
              <small>{suggestion.hint}</small>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

function useSuggestions(text: string, isOpen: boolean): Suggestion[] {
  const properties = (useProperties(isOpen).data?.data ?? []).map(({ property }) => `@${property}`);
  const typed = parseTyped(text);
  const name = typed && (properties.find((known) => known.toLowerCase() === typed.name.toLowerCase()) ?? typed.name);
  const kind = name && kindOf(name);
  const rows = useValues(isOpen && kind === "text" ? name : undefined).data?.data.rows ?? [];
  if (!typed || !name) return nameSuggestions(text.trim().toLowerCase(), properties);
  const known = kind === "flag" ? ["true", "false"] : rows.map(({ by: [value] }) => textOf(value));
  const isNull = known.includes(null) || kind === "number";
  const values = [...known.filter((value) => value !== null), ...(isNull ? [null] : [])];
  const found = values
    .filter((value) => (value ?? NONE).toLowerCase().includes(typed.value.toLowerCase()))
    .filter((value) => value !== null || typed.operator === "equals" || typed.operator === "not-equals")
    .slice(0, MOST)
    .map((value) => ({
      key: value ?? "",
      text: value ?? NONE,
      hint: titleOf(name),
      chip: [name, typed.operator, value] as const,
    }));
  return typed.value ? found : [...found, ...operatorSuggestions(name, typed.operator)];
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** The other operators that the name takes. */
function operatorSuggestions(name: string, chosen: Operator): Suggestion[] {
  return operatorsOf(name)
    .filter((operator) => operator !== chosen)
    .map((operator) => ({
      key: `operator ${operator}`,
      text: `${titleOf(name)} ${SIGNS[operator]} …`,
      hint: "operator",
      typed: `${writtenOf(name)}${signOf(operator)}`,
    }));
}

function nameSuggestions(start: string, properties: readonly string[]): Suggestion[] {
  const named = [
    ...properties.map((name) => ({ name, hint: "property" })),
    ...COLUMNS.map(({ name, kind }) => ({ name, hint: kind === "text" ? "column" : kind })),
  ];
  return named
    .filter(({ name }) => `${titleOf(name)} ${name}`.toLowerCase().includes(start))
    .slice(0, MOST)
    .map(({ name, hint }) => {
      const [operator = "equals"] = operatorsOf(name);
      return { key: name, text: titleOf(name), hint, typed: `${writtenOf(name)}${signOf(operator)}` };
    });
}
