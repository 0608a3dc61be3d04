/** A long list with a field that narrows it. */
import { type KeyboardEvent, useState } from "react";
import { classes } from "../ui/ui";
import ui from "../ui/ui.module.css";
import css from "./bar.module.css";

export interface PickerSection {
  title: string;
  names: readonly string[];
}

interface Props {
  label: string;
  sections: readonly PickerSection[];
  titleOf: (name: string) => string;
  /** What stands right of a title. */
  hintOf?: (name: string) => string | undefined;
  isChosen: (name: string) => boolean;
  onChoose: (name: string) => void;
  /** Several may be chosen. */
  isMany?: boolean;
  placeholder?: string;
  most?: number;
}

export function Picker(props: Props) {
  const { label, sections, titleOf, hintOf, isChosen, onChoose, isMany, placeholder, most = 200 } = props;
  const [text, setText] = useState("");
  const wanted = text.toLowerCase().trim();
  const found = sections
    .map(({ title, names }) => ({
      title,
      names: names.filter((name) => `${titleOf(name)} ${name}`.toLowerCase().includes(wanted)).slice(0, most),
    }))
    .filter(({ names }) => names.length);
  const first = found[0]?.names[0];
  function onKey(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (wanted && first !== undefined) onChoose(first);
  }
  return (
    <div className={css["picker"]}>
      <input
        // biome-ignore lint/a11y/noAutofocus: whoever opens a list wants to find something in it
        autoFocus
        aria-label={label}
        placeholder={placeholder ?? "Find…"}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKey}
      />
      <div className={css["found"]}>
        {found.map(({ title, names }) => (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset takes no part in a menu
          <div key={title} role="group" aria-label={title || undefined}>
            {title && <div className={css["section"]}>{title}</div>}
            {names.map((name) => (
              // biome-ignore lint/a11y/useAriaPropsSupportedByRole: both of its roles can be checked
              <button
                key={name}
                type="button"
                className={classes(ui["item"], css["choice"])}
                role={isMany ? "menuitemcheckbox" : "menuitemradio"}
                aria-checked={isChosen(name)}
                onClick={() => onChoose(name)}
              >
                <span>{titleOf(name)}</span>
                {hintOf?.(name) && <small>{hintOf(name)}</small>}
              </button>
            ))}
          </div>
        ))}
        {found.length === 0 && <div className={css["section"]}>Nothing of this name.</div>}
      </div>
    </div>
  );
}
