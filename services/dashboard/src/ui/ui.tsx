/** The parts that every page is made of. */
import { type CSSProperties, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { ApiError } from "../api/client";
import { exactMoney, type Maybe, money, pluralize, UNKNOWN } from "../format/format";
import css from "./ui.module.css";

export function classes(...names: (string | false | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}

interface CardProps {
  title: ReactNode;
  note?: ReactNode;
  children: ReactNode;
  isStale?: boolean;
  flush?: boolean;
  className?: string | undefined;
}

export function Card({ title, note, children, isStale, flush, className }: CardProps) {
  const id = useId();
  return (
    <section className={classes(css["card"], className)} aria-labelledby={id} aria-busy={isStale ?? false}>
      <header className={css["head"]}>
        <h2 id={id}>{title}</h2>
        {note !== undefined && <div className={css["note"]}>{note}</div>}
      </header>
      <div className={classes(css["body"], flush && css["flush"], isStale && css["stale"])}>{children}</div>
    </section>
  );
}

export function Skeleton({ height, width }: { height: number; width?: string }) {
  const style: CSSProperties = { height, width: width ?? "100%" };
  return <div className={css["skeleton"]} style={style} aria-hidden="true" data-skeleton="" />;
}

interface Answer<Data> {
  data: Data | undefined;
  error: Error | null;
  refetch: () => unknown;
}

/**
 * What was answered; until then a skeleton of its height; else the server's sentence, and a way to try again. What was
 * answered before stays below that, and with it what somebody types there; not where it is no more.
 */
export function Loaded<Data>(props: { answer: Answer<Data>; height: number; children: (data: Data) => ReactNode }) {
  const { answer, height, children } = props;
  const { data, error, refetch } = answer;
  const note = error && <ErrorNote error={error} retry={refetch} />;
  if (data === undefined || (error instanceof ApiError && error.status === 404)) {
    return note ?? <Skeleton height={height} />;
  }
  return (
    <>
      {note && <div className={css["above"]}>{note}</div>}
      {children(data)}
    </>
  );
}

export function ErrorNote({ error, retry }: { error: Error; retry: () => unknown }) {
  return (
    <div className={css["error"]} role="alert">
      <span>{error.message}</span>
      <Button onClick={() => void retry()}>Try again</Button>
    </div>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return <div className={css["empty"]}>{children}</div>;
}

type ButtonProps = React.ComponentProps<"button"> & { kind?: "primary" | "quiet" };

export function Button({ kind, className, ...rest }: ButtonProps) {
  return <button type="button" {...rest} className={classes(css["button"], kind && css[kind], className)} />;
}

/** A button and what floats below it. Esc and a click elsewhere close it. */
export function Menu(props: {
  button: ReactNode;
  label: string;
  right?: boolean;
  children: (close: () => void) => ReactNode;
}) {
  const { button, label, right, children } = props;
  const [isOpen, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const outside = (event: PointerEvent) => {
      if (!place.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [isOpen]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Esc is for what is focused within
    <div
      ref={place}
      className={css["menu"]}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !isOpen) return;
        event.stopPropagation();
        setOpen(false);
        place.current?.querySelector("button")?.focus();
      }}
    >
      <Button aria-expanded={isOpen} aria-haspopup="true" aria-label={label} onClick={() => setOpen(!isOpen)}>
        {button}
      </Button>
      {isOpen && (
        <div className={classes(css["floating"], right && css["right"])}>{children(() => setOpen(false))}</div>
      )}
    </div>
  );
}

export function MenuItem(props: { isChosen?: boolean; onChoose: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      className={css["item"]}
      role="menuitemradio"
      aria-checked={props.isChosen ?? false}
      onClick={props.onChoose}
    >
      {props.children}
    </button>
  );
}

/** An amount: exact on hover, and "unknown" where it is. `unpriced`: requests whose cost is not in it. */
export function Cost({ value, unpriced, isLong }: { value: Maybe; unpriced?: Maybe; isLong?: boolean }) {
  if (value === null || value === undefined) return <span className={css["unknown"]}>{UNKNOWN}</span>;
  const more = Number(unpriced ?? 0) > 0;
  const exact = more
    ? `${exactMoney(value)}, and ${pluralize(unpriced, "request")} whose cost is unknown`
    : exactMoney(value);
  // Nothing known beside something unknown is no zero.
  if (more && Number(value) === 0)
    return (
      <span className={css["unknown"]} title={exact}>
        {UNKNOWN}
      </span>
    );
  return (
    <span title={exact}>
      {money(value)}
      {more && <span className={css["unknown"]}> {isLong ? "+ unknown" : "+?"}</span>}
    </span>
  );
}

export function LinkButton({
  onClick,
  children,
  title,
}: {
  onClick: () => void;
  children: ReactNode;
  title?: string | undefined;
}) {
  return (
    <button type="button" className={css["link"]} onClick={onClick} title={title}>
      {children}
    </button>
  );
}

export function Tag({ kind, children }: { kind?: "good" | "bad" | "warn" | undefined; children: ReactNode }) {
  return <span className={classes(css["tag"], kind && css[kind])}>{children}</span>;
}

export function Hidden({ children }: { children: ReactNode }) {
  return <span className={css["hidden"]}>{children}</span>;
}

/** Where a line is expected to end, so many buckets on: between two figures. */
export interface Ahead {
  buckets: number;
  low: number;
  high: number;
}

/** A line without axes: the shape of a figure over time. The last bucket is still running. */
export function Sparkline({ values, label, ahead }: { values: readonly number[]; label: string; ahead?: Ahead }) {
  if (values.length < 2) return null;
  const [width, height] = [108, 28];
  const most = Math.max(...values, ahead?.high ?? 0, Number.MIN_VALUE);
  const end = values.length - 1 + (ahead?.buckets ?? 0);
  const pointOf = (value: number, index: number) => [
    (index / end) * (width - 4) + 2,
    height - 3 - (value / most) * (height - 6),
  ];
  const points = values.map(pointOf);
  const pathOf = (some: typeof points) => some.map(([x, y]) => `${x?.toFixed(1)},${y?.toFixed(1)}`).join(" ");
  const last = points.at(-1);
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <polygon
        points={`2,${height - 2} ${pathOf(points)} ${last?.[0]?.toFixed(1)},${height - 2}`}
        fill="var(--accent-soft)"
      />
      {ahead && (
        <polygon
          points={pathOf([...points.slice(-1), pointOf(ahead.high, end), pointOf(ahead.low, end)])}
          fill="var(--accent)"
          stroke="var(--accent)"
          strokeLinejoin="round"
          opacity="0.5"
          data-ahead=""
        />
      )}
      <polyline
        points={pathOf(points.slice(0, -1))}
        fill="none"
        stroke="var(--accent)"
        strokeWidth="1.5"
        strokeLinejoin="round"
      />
      <polyline
        points={pathOf(points.slice(-2))}
        fill="none"
        stroke="var(--accent)"
        strokeWidth="1.5"
        strokeDasharray="2 3"
      />
      {last && <circle cx={last[0]} cy={last[1]} r="2.5" fill="var(--accent)" />}
    </svg>
  );
}
