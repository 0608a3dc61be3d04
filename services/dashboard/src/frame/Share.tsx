/** What is shown as a file, and a link whose times stay what they are now. */
import { useState } from "react";
import { fileOf } from "../api/client";
import { CopyButton } from "../ui/CopyButton";
import { Menu, MenuItem } from "../ui/ui";
import css from "./bar.module.css";
import { Icon } from "./icons";
import { type Exported, usePublished } from "./published";

export function Share() {
  const { exported, period } = usePublished();

  function link(): string {
    const url = new URL(window.location.href);
    if (period) {
      url.searchParams.delete("range");
      url.searchParams.set("from", JSON.stringify(period.start).replaceAll('"', ""));
      url.searchParams.set("to", JSON.stringify(period.end).replaceAll('"', ""));
    }
    return url.href;
  }

  return (
    <>
      {exported && <Export {...exported} />}
      <CopyButton text={link} title="Copy a link to this view, at these times" aria-label="Copy link">
        <Icon name="link" />
      </CopyButton>
    </>
  );
}

const FORMATS = [
  { title: "CSV", accept: "text/csv", ending: "csv" },
  { title: "JSON lines", accept: "application/x-ndjson", ending: "jsonl" },
  { title: "Parquet", accept: "application/vnd.apache.parquet", ending: "parquet" },
] as const;

/** Everything that is shown, in one file. */
function Export({ path, body, name }: Exported) {
  const [state, setState] = useState<"idle" | "busy" | Error>("idle");

  async function save({ accept, ending }: (typeof FORMATS)[number]) {
    setState("busy");
    // An export of requests names its format in its body, a report in its headers.
    const asked = path === "/v1/export" ? { ...body, format: ending } : body;
    setState(
      await fileOf(path, asked, accept).then(
        (file) => download(file, `${name}.${ending}`),
        (error: Error) => error,
      ),
    );
  }

  return (
    <Menu
      label="Export"
      button={
        <>
          <Icon name="download" /> {state === "busy" ? "Exporting…" : state instanceof Error ? "Failed" : "Export"}
        </>
      }
    >
      {(close) => (
        <>
          {FORMATS.map((format) => (
            <MenuItem
              key={format.ending}
              onChoose={() => {
                void save(format);
                close();
              }}
            >
              {format.title}
            </MenuItem>
          ))}
          {state instanceof Error && <p className={css["clocks"]}>{state.message}</p>}
        </>
      )}
    </Menu>
  );
}

function download(file: Blob, name: string): "idle" {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
  return "idle";
}
