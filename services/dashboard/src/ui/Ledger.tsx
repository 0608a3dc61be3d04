/** A table of any length, sorted by its heads: only the rows in sight are drawn, sums stay in sight. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { isTyping } from "../frame/keyboard";
import type { Sorting } from "../state/sorting";
import css from "./ledger.module.css";
import { classes, Skeleton } from "./ui";

const ROW_PX = 37;

export interface LedgerColumn<Row> {
  id: string;
  title: string;
  /** What the figure is, on hover. */
  hint?: string;
  width: number;
  isFigure?: boolean;
  canSort?: boolean;
  show: (row: Row) => ReactNode;
}

/** A line below the rows: their total, or what is not among them. */
export interface Foot {
  key: string;
  title: ReactNode;
  cells: Partial<Record<string, ReactNode>>;
}

interface Props<Row> {
  label: string;
  columns: readonly LedgerColumn<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  feet: readonly Foot[];
  sorting: Sorting;
  onSort: (column: string) => void;
  onOpen: (row: Row) => void;
  onUp?: () => void;
  isStale?: boolean;
  className?: string | undefined;
}

export function Ledger<Row>(props: Props<Row>) {
  const { label, columns, rows, keyOf, feet, sorting, onSort, onOpen, onUp, isStale, className } = props;
  const box = useRef<HTMLDivElement>(null);
  const [chosen, setChosen] = useState(-1);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  useRowKeys({ rows, chosen, setChosen, onOpen, onUp, scrollTo: virtual.scrollToIndex });
  const width = columns.reduce((all, column) => all + column.width, 0);
  const style = (column: LedgerColumn<Row>) => ({ flex: `${column.width} 0 ${column.width}px` });
  return (
    <div
      ref={box}
      className={classes(css["box"], isStale && css["stale"], className)}
      tabIndex={0}
      role="region"
      aria-busy={isStale ?? false}
      aria-label={label}
    >
      <div
        className={css["table"]}
        role="table"
        aria-label={label}
        aria-rowcount={rows.length}
        style={{ minWidth: width }}
      >
        <div className={css["head"]} role="rowgroup">
          <div className={css["row"]} role="row">
            {columns.map((column) => (
              <Head key={column.id} {...{ column, sorting, onSort }} style={style(column)} />
            ))}
          </div>
        </div>
        <div className={css["rows"]} role="rowgroup" style={{ height: virtual.getTotalSize() }} data-rows={label}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <div
                key={keyOf(row)}
                role="row"
                aria-rowindex={index + 1}
                className={classes(css["row"], css["line"], index === chosen && css["chosen"])}
                style={{ transform: `translateY(${start}px)` }}
                data-row={keyOf(row)}
                onClick={(event) => !isControl(event.target) && onOpen(row)}
              >
                {columns.map((column) => (
                  <div
                    key={column.id}
                    role="cell"
                    className={classes(column.isFigure && css["figure"])}
                    style={style(column)}
                    data-cell={column.id}
                  >
                    {column.show(row)}
                  </div>
                ))}
              </div>
            );
          })}
        </div>
        <div className={css["feet"]} role="rowgroup">
          {feet.map((foot) => (
            <div key={foot.key} className={css["row"]} role="row" data-foot={foot.key}>
              {columns.map((column, index) => (
                <div
                  key={column.id}
                  role="cell"
                  className={classes(column.isFigure && css["figure"])}
                  style={style(column)}
                  data-cell={column.id}
                >
                  {index === 0 ? <span>{foot.title}</span> : foot.cells[column.id]}
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

interface HeadProps<Row> {
  column: LedgerColumn<Row>;
  sorting: Sorting;
  onSort: (column: string) => void;
  style: { flex: string };
}

function Head<Row>({ column, sorting, onSort, style }: HeadProps<Row>) {
  const { id, title, hint, isFigure, canSort = true } = column;
  const direction = sorting.column === id ? sorting.direction : undefined;
  const order = direction && (direction === "desc" ? "descending" : "ascending");
  return (
    <div
      role="columnheader"
      className={classes(isFigure && css["figure"])}
      style={style}
      data-cell={id}
      aria-sort={order}
      title={hint}
    >
      {canSort ? (
        <button type="button" className={css["sort"]} data-on={direction} onClick={() => onSort(id)}>
          {title}
          {direction && <span aria-hidden="true">{direction === "desc" ? "↓" : "↑"}</span>}
        </button>
      ) : (
        title
      )}
    </div>
  );
}

/** Links and buttons within a row do what they say, and not what the row does. */
export function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, a, input") !== null;
}

interface Keys<Row> {
  rows: readonly Row[];
  chosen: number;
  setChosen: (index: number) => void;
  onOpen: (row: Row) => void;
  onUp: (() => void) | undefined;
  scrollTo: (index: number) => void;
}

/** j and k choose a row, Enter opens it, Esc lets go of it, and then goes up. */
export function useRowKeys<Row>({ rows, chosen, setChosen, onOpen, onUp, scrollTo }: Keys<Row>): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event) || document.querySelector("dialog[open]")) return;
      const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
      const row = rows[chosen];
      if (step && rows.length) {
        const next = Math.min(rows.length - 1, Math.max(0, chosen + step));
        setChosen(next);
        scrollTo(next);
      } else if (event.key === "Enter" && row !== undefined && !isControl(event.target)) onOpen(row);
      else if (event.key === "Escape" && chosen >= 0) setChosen(-1);
      else if (event.key === "Escape") onUp?.();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}

/** The size of the table that is on its way. */
export function LedgerSkeleton({ rows = 12 }: { rows?: number }) {
  return (
    <div className={classes(css["box"], css["loading"])}>
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <Skeleton key={index} height={ROW_PX - 13} />
      ))}
    </div>
  );
}
