/** A few figures beside each other, each with its name. What is false is not there. */
import type { ReactNode } from "react";
import css from "./facts.module.css";

export type Fact = readonly [name: string, figure: ReactNode];

export function Facts({ facts }: { facts: readonly (Fact | false)[] }) {
  return (
    <dl className={css["facts"]}>
      {facts.map(
        (fact) =>
          fact && (
            <div key={fact[0]} data-fact={fact[0]}>
              <dt>{fact[0]}</dt>
              <dd>{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
