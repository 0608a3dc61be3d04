/** A button that copies a text, and says whether it could. */
import { type ReactNode, useState } from "react";
import { Button } from "./ui";

const SAID_MS = 1_500;

/**
 * Whether `text` is on the clipboard now. Browsers give pages of plain http no `navigator.clipboard`, but those of
 * localhost: there a field that nobody sees is selected and copied.
 */
export async function copyText(text: string): Promise<boolean> {
  if (!navigator.clipboard) return copySelected(text);
  return navigator.clipboard.writeText(text).then(
    () => true,
    () => copySelected(text),
  );
}

function copySelected(text: string): boolean {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.style.position = "fixed";
  field.style.top = "0";
  field.style.opacity = "0";
  // Beside an open dialog nothing can be selected.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (focused instanceof HTMLElement) focused.focus();
  }
}

type Props = Omit<React.ComponentProps<typeof Button>, "onClick"> & { text: () => string; children: ReactNode };

export function CopyButton({ text, children, ...rest }: Props) {
  const [said, setSaid] = useState("");
  async function copy() {
    setSaid((await copyText(text())) ? "Copied" : "Could not copy");
    window.setTimeout(() => setSaid(""), SAID_MS);
  }
  return (
    <Button {...rest} onClick={() => void copy()}>
      {said || children}
    </Button>
  );
}
