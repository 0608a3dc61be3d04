/** How much of a limit is used: a bar below its figures, with a word where that is much. */
import type { ReactNode } from "react";
import type { Maybe } from "../format/format";
import { percent } from "../format/format";
import css from "./limit-bar.module.css";
import { classes } from "./ui";

interface Props {
  share: number;
  level: "room" | "near" | "over";
  /** What the level means, for those who see no colours. */
  word: string;
  children: ReactNode;
}

export function LimitBar({ share, level, word, children }: Props) {
  return (
    <span className={classes(css["limit"], css[level])} data-level={level}>
      <span className={css["figures"]}>
        {children}
        <b title={word || undefined}>{percent(share as Maybe, share < 0.1 ? 1 : 0)}</b>
      </span>
      <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        <rect width={Math.min(1, Math.max(0, share)) * 100} height="1" />
      </svg>
      {word && <small>{word}</small>}
    </span>
  );
}
