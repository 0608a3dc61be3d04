/** Which columns are shown, and in which order: every column there is, and every property. */
import { useState } from "react";
import { useProperties } from "../../api/queries";
import { useChange, useView } from "../../state/view";
import { Button, Menu } from "../../ui/ui";
import { COLUMNS, columnOf, SHOWN } from "./columns";
import css from "./requests.module.css";

export function ColumnMenu() {
  return (
    <Menu label="Columns" button="Columns" right>
      {() => <Chooser />}
    </Menu>
  );
}

/** Made when the menu opens: properties are asked for then, and not before. */
function Chooser() {
  const { search } = useView();
  const change = useChange();
  const [text, setText] = useState("");
  const properties = (useProperties().data?.data ?? []).map(({ property }) => `@${property}`);
  const shown = (search.columns ?? SHOWN).filter((id) => columnOf(id));
  const all = [...properties, ...COLUMNS.map(({ id }) => id)];
  const hidden = all.filter((id) => !shown.includes(id));
  const fits = (id: string) => (columnOf(id)?.title ?? id).toLowerCase().includes(text.toLowerCase());
  const show = (ids: string[]) => change({ columns: ids.join() === SHOWN.join() ? undefined : ids });

  function move(id: string, step: 1 | -1) {
    const at = shown.indexOf(id);
    const next = [...shown];
    next.splice(at, 1);
    next.splice(Math.max(0, at + step), 0, id);
    show(next);
  }

  return (
    <div className={css["chooser"]}>
      <input
        aria-label="Find a column"
        placeholder="Find a column"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <div className={css["choices"]}>
        {shown.filter(fits).map((id) => (
          <div key={id} className={css["choice"]}>
            <Check id={id} isOn onChange={() => show(shown.filter((each) => each !== id))} />
            <button type="button" aria-label={`Move ${id} to the left`} onClick={() => move(id, -1)}>
              ←
            </button>
            <button type="button" aria-label={`Move ${id} to the right`} onClick={() => move(id, 1)}>
              →
            </button>
          </div>
        ))}
        {hidden.filter(fits).map((id) => (
          <div key={id} className={css["choice"]}>
            <Check id={id} isOn={false} onChange={() => show([...shown, id])} />
          </div>
        ))}
      </div>
      <Button kind="quiet" onClick={() => change({ columns: undefined })}>
        As at first
      </Button>
    </div>
  );
}

function Check({ id, isOn, onChange }: { id: string; isOn: boolean; onChange: () => void }) {
  return (
    <label className={css["check"]}>
      <input type="checkbox" checked={isOn} onChange={onChange} />
      {columnOf(id)?.title}
      {id.startsWith("@") && <small>property</small>}
    </label>
  );
}
