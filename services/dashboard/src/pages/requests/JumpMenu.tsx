/** To a time in the list, however far back it is. */
import { useState } from "react";
import { instantIn, localIn } from "../../format/instant";
import { useChange, useView } from "../../state/view";
import { Button, Menu } from "../../ui/ui";
import css from "./requests.module.css";

export function JumpMenu() {
  const { search, zone } = useView();
  const change = useChange();
  const [local, setLocal] = useState(search.at ? localIn(zone, search.at) : "");
  return (
    <Menu label="Go to a time" button="Go to…" right>
      {(close) => (
        <form
          className={css["jump"]}
          onSubmit={(event) => {
            event.preventDefault();
            const at = instantIn(zone, local);
            if (!at) return;
            change({ at, sort: undefined, live: undefined });
            close();
          }}
        >
          <label>
            Time, in {zone.replaceAll("_", " ")}
            <input type="datetime-local" value={local} onChange={(event) => setLocal(event.target.value)} required />
          </label>
          <Button type="submit" kind="primary">
            Go
          </Button>
        </form>
      )}
    </Menu>
  );
}
