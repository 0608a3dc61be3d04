/** Keys of the whole page. Those typed into a field are the field's own. */
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { PLACES } from "./places";
import { leaveRow, stepRow } from "./rows";

export const FILTER_ID = "filter";
const SECOND_MS = 1200;

export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return (
    Boolean(target?.closest("input, textarea, select, [contenteditable]")) ||
    event.metaKey ||
    event.ctrlKey ||
    event.altKey
  );
}

export function useKeys(showHelp: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let wentAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      const place = PLACES.find(({ key }) => key === event.key);
      if (place && Date.now() - wentAt < SECOND_MS) void navigate({ to: place.to, search: (old) => old });
      else if (event.key === "/") document.getElementById(FILTER_ID)?.focus();
      else if (event.key === "?") showHelp();
      else if (event.key === "j" || event.key === "k") {
        if (!stepRow(event.key === "j" ? 1 : -1)) return;
      } else if (event.key === "Escape") {
        if (!leaveRow()) return;
      } else if (event.key === "g") {
        wentAt = Date.now();
        return;
      } else return;
      wentAt = 0;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [navigate, showHelp]);
}
