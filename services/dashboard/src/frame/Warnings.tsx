/** Names that no request has: a misspelled one finds nothing, and looks like a zero. */
import { type QueryCache, useQueryClient } from "@tanstack/react-query";
import { useCallback, useSyncExternalStore } from "react";
import type { View } from "../api/client";
import type { Chip, Search } from "../state/search";
import { useChange, useView } from "../state/view";
import { LinkButton } from "../ui/ui";
import css from "./bar.module.css";

type Warning = View<"NameWarning">;

/** Those of all answers on the page, each once. */
function warningsIn(cache: QueryCache): string {
  const found = cache
    .findAll({ type: "active" })
    .flatMap(({ state }) => (state.data as { warnings?: Warning[] } | undefined)?.warnings ?? []);
  const once = new Map(found.map((warning) => [warning.message, warning]));
  return JSON.stringify([...once.values()]);
}

function useWarnings(): Warning[] {
  const cache = useQueryClient().getQueryCache();
  const subscribe = useCallback((listener: () => void) => cache.subscribe(listener), [cache]);
  return JSON.parse(useSyncExternalStore(subscribe, () => warningsIn(cache))) as Warning[];
}

export function Warnings({ path }: { path: string }) {
  const { search } = useView();
  // Other pages ask by themselves for names that need not be there.
  const warnings = useWarnings().filter((warning) => path === "/explore" || isMeant(search, warning));
  const change = useChange();
  if (!warnings.length) return null;
  const chips = search.filter ?? [];
  return (
    <ul className={css["warnings"]} aria-label="Warnings">
      {warnings.map((warning) => {
        const mended = mendedBy(chips, warning);
        return (
          <li key={warning.message}>
            {warning.message}
            {mended && (
              <LinkButton onClick={() => change({ filter: mended })}>Take {String(warning.nearest)}</LinkButton>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** Whether a person named it, in a chip or as a group. */
export function isMeant({ filter = [], by }: Search, warning: Warning): boolean {
  const isProperty = warning.code === "unknown_property" && by?.toLowerCase() === `@${warning.name}`;
  return isProperty || filter.some((chip) => isOf(chip, warning));
}

function isOf(chip: Chip, { code, name }: Warning): boolean {
  if (code === "unknown_property") return chip[0].toLowerCase() === `@${name}`;
  return code === "unknown_value" && chip[2] === name;
}

/** The chips with the nearest name in place of the one that no request has; undefined where none is meant. */
export function mendedBy(chips: readonly Chip[], warning: Warning): Chip[] | undefined {
  const { code, nearest } = warning;
  if (!nearest || !chips.some((chip) => isOf(chip, warning))) return undefined;
  return chips.map((chip): Chip => {
    if (!isOf(chip, warning)) return chip;
    return code === "unknown_property" ? [`@${nearest}`, chip[1], chip[2]] : [chip[0], chip[1], nearest];
  });
}
