/** Light or dark: as the system has it, until the switch says otherwise. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

const KEPT = "farebox-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function current(): Theme {
  const kept = localStorage.getItem(KEPT);
  if (kept === "light" || kept === "dark") return kept;
  return system.matches ? "dark" : "light";
}

export function applyTheme(): void {
  document.documentElement.dataset["theme"] = current();
  for (const listener of listeners) listener();
}

export function switchTheme(): void {
  localStorage.setItem(KEPT, current() === "dark" ? "light" : "dark");
  applyTheme();
}

system.addEventListener("change", applyTheme);

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, current);
}
