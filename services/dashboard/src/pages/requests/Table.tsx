/** The rows in sight, under a head that stays. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, type RefObject, useEffect, useMemo, useState } from "react";
import { keyOf, type RequestRow } from "../../api/requests";
import { isTyping } from "../../frame/keyboard";
import { useChange, useView } from "../../state/view";
import { classes, Skeleton } from "../../ui/ui";
import type { ColumnDefinition, Ordering } from "./columns";
import css from "./requests.module.css";

const ROW_PX = 37;
const SKELETONS = 16;
const NEAR_END = 20; // rows from the end: then more are fetched

interface Props {
  box: RefObject<HTMLDivElement | null>;
  rows: readonly RequestRow[];
  columns: readonly ColumnDefinition[];
  total: number | undefined;
  ordering: Ordering;
  /** Those that came while the list was followed. */
  fresh: readonly RequestRow[];
  isPending: boolean;
  isStale: boolean;
  onOpen: (row: RequestRow) => void;
  onScroll: (top: number) => void;
  onEnd: () => void;
  children: ReactNode;
}

export function Table(props: Props) {
  const { box, rows, columns, total, ordering, isPending, isStale, onOpen, onScroll, onEnd, children } = props;
  const { zone } = useView();
  const [chosen, setChosen] = useState<string>();
  const fresh = useMemo(() => new Set(props.fresh.map(keyOf)), [props.fresh]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => (rows[index] ? keyOf(rows[index]) : index),
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const end = items.at(-1)?.index ?? 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `onEnd` decides by itself whether there is anything to do
  useEffect(() => {
    if (rows.length && end >= rows.length - NEAR_END) onEnd();
  }, [end, rows.length, isStale]);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      const at = chosen === undefined ? -1 : rows.findIndex((row) => keyOf(row) === chosen);
      const step = event.key === "j" ? 1 : event.key === "k" ? -1 : 0;
      if (step) {
        const next = Math.min(rows.length - 1, Math.max(0, at + step));
        setChosen(rows[next] && keyOf(rows[next]));
        virtual.scrollToIndex(next);
      } else if (event.key === "Enter" && rows[at] && event.target === document.body) onOpen(rows[at]);
      else if (event.key === "Escape") setChosen(undefined);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });

  return (
    <div
      ref={box}
      className={classes(css["box"], isStale && css["stale"])}
      tabIndex={0}
      role="region"
      aria-label="Requests"
      aria-busy={isPending || isStale}
      onScroll={(event) => onScroll(event.currentTarget.scrollTop)}
    >
      <div className={css["table"]} role="table" aria-label="Requests" aria-rowcount={total ?? -1}>
        <div className={css["top"]} role="rowgroup">
          <div className={css["row"]} role="row">
            {columns.map((column) => (
              <HeadCell key={column.id} column={column} ordering={ordering} />
            ))}
          </div>
        </div>
        {isPending ? (
          <Skeletons columns={columns} />
        ) : (
          <div className={css["rows"]} role="rowgroup" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index];
              if (!row) return null;
              const key = keyOf(row);
              return (
                <div
                  key={key}
                  role="row"
                  aria-rowindex={item.index + 1}
                  className={classes(
                    css["row"],
                    css["line"],
                    key === chosen && css["chosen"],
                    fresh.has(key) && css["fresh"],
                  )}
                  style={{ transform: `translateY(${item.start}px)` }}
                  onClick={() => onOpen(row)}
                >
                  {columns.map((column) => (
                    <div
                      key={column.id}
                      role="cell"
                      className={classes(column.isFigure && css["figure"])}
                      style={{ width: column.width }}
                      data-cell={column.id}
                    >
                      <span>{column.show(row, zone)}</span>
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        )}
      </div>
      {children}
    </div>
  );
}

function HeadCell({ column, ordering }: { column: ColumnDefinition; ordering: Ordering }) {
  const change = useChange();
  const isSorted = column.sort === ordering.by;
  const direction = isSorted ? (ordering.isDescending ? "descending" : "ascending") : undefined;
  const next = isSorted && ordering.isDescending ? column.sort : `-${column.sort}`;
  return (
    <div
      role="columnheader"
      aria-sort={direction ?? "none"}
      className={classes(column.isFigure && css["figure"])}
      style={{ width: column.width }}
      data-cell={column.id}
    >
      {column.sort ? (
        <button
          type="button"
          className={css["sort"]}
          data-on={direction}
          onClick={() => change({ sort: next === "-created_at" ? undefined : next })}
        >
          {column.title} {isSorted && (ordering.isDescending ? "↓" : "↑")}
        </button>
      ) : (
        <span className={css["plain"]}>{column.title}</span>
      )}
    </div>
  );
}

/** Rows of the height and width that those to come will have. */
function Skeletons({ columns }: { columns: readonly ColumnDefinition[] }) {
  return (
    <div aria-hidden="true">
      {Array.from({ length: SKELETONS }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <div key={index} className={classes(css["row"], css["waiting"])}>
          {columns.map((column) => (
            <div key={column.id} style={{ width: column.width }} data-cell={column.id}>
              <Skeleton height={14} width={column.isFigure ? "60%" : "75%"} />
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}
