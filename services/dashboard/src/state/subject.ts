/** A page about one user or session: its chip is among the chips, and Esc goes up. */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useRef } from "react";
import { isTyping } from "../frame/keyboard";
import { chipsAt } from "./drill";
import type { Search } from "./search";
import { useUp } from "./view";

/** A link without the chip gets it, so that what is opened from the page is of the same; who takes it away goes up. */
export function useSubject(name: string, value: string): void {
  const { filter } = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const up = useUp();
  const seen = useRef<string | null>(undefined); // null: the page is left, and may stay until the next one is there
  const isThere = filter?.some((chip) => chip[0] === name && chip[1] === "equals" && chip[2] === value) ?? false;
  const leave = useCallback(() => {
    seen.current = null;
    up();
  }, [up]);
  useEffect(() => {
    if (isThere) seen.current = value;
    else if (seen.current === value) leave();
    else if (seen.current !== null)
      void navigate({
        to: ".",
        search: (old: Search) => ({ ...old, filter: chipsAt(old.filter, name, value) }),
        replace: true,
      });
  }, [isThere, name, value, navigate, leave]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !isTyping(event) && !document.querySelector("dialog[open]")) leave();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [leave]);
}
