/** How an alert stands: a word and a shape, so that its colour is never all there is. */
import type { AlertState } from "../../api/alerts";
import { classes } from "../../ui/ui";
import css from "./state.module.css";

export const STATE_WORDS: Record<AlertState, string> = {
  OK: "OK",
  WARNING: "Warning",
  CRITICAL: "Critical",
  NO_DATA: "No data",
};

/** A dot, a triangle, a diamond, and an empty ring. */
const SHAPES: Record<AlertState, React.ReactNode> = {
  OK: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  WARNING: <path d="M6 1.2 11.4 10.8H.6Z" fill="currentColor" />,
  CRITICAL: <path d="M6 .4 11.6 6 6 11.6.4 6Z" fill="currentColor" />,
  NO_DATA: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.6" strokeDasharray="2.2 2" />,
};

export function StateShape({ state }: { state: AlertState }) {
  return (
    <svg className={css["shape"]} data-state={state} width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      {SHAPES[state]}
    </svg>
  );
}

export function StateMark({ state, isLarge }: { state: AlertState; isLarge?: boolean }) {
  return (
    <span className={classes(css["state"], isLarge && css["large"])} data-state={state}>
      <StateShape state={state} />
      {STATE_WORDS[state]}
    </span>
  );
}
