/** A table of lines with several things in a cell. One that is wider than its card scrolls sideways, or is stacked. */
import type { ReactNode } from "react";
import { Scroll } from "./Scroll";
import css from "./table.module.css";
import { classes, Hidden } from "./ui";

export interface Head {
  title: string;
  className?: string | undefined;
  isFigure?: boolean;
  /** For those who hear the page: what stands below needs no title to be seen. */
  isHidden?: boolean;
}

interface Props {
  label: string;
  name: string;
  heads: readonly Head[];
  className?: string | undefined;
  /** Whether its cells stand below each other on a phone. */
  isStacked?: boolean;
  children: ReactNode;
}

export function Sheet({ label, name, heads, className, isStacked, children }: Props) {
  return (
    <Scroll label={label}>
      <table className={classes(css["table"], css["roomy"], isStacked && css["stacked"], className)} data-table={name}>
        <thead>
          <tr>
            {heads.map(({ title, className, isFigure, isHidden }) => (
              <th key={title} className={classes(isFigure && css["figure"], className)}>
                {isHidden ? <Hidden>{title}</Hidden> : title}
              </th>
            ))}
          </tr>
        </thead>
        {children}
      </table>
    </Scroll>
  );
}
