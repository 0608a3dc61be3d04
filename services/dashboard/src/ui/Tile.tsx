/** A figure large enough to be read first: its name, its shape over time, and what it is beside another. */
import type { ReactNode } from "react";
import { UNKNOWN } from "../format/format";
import css from "./tile.module.css";
import { type Ahead, classes, ErrorNote, Skeleton, Sparkline } from "./ui";
import ui from "./ui.module.css";

export function Tiles({ children }: { children: ReactNode }) {
  return <div className={css["tiles"]}>{children}</div>;
}

interface Shown {
  figure: string;
  /** All of its digits. */
  exact?: string | undefined;
  /** Whether there is more that is not known. */
  isPart?: boolean;
  shape?: readonly number[];
  /** Where the shape is expected to end. */
  ahead?: Ahead | undefined;
  note: ReactNode;
}

interface Props<Data> {
  title: string;
  /** As tests know it. */
  name?: string;
  answer: { data: Data | undefined; error: Error | null; refetch: () => unknown; isPlaceholderData: boolean };
  read: (data: Data) => Shown;
}

export function Tile<Data>({ title, name = title, answer, read }: Props<Data>) {
  const { data, error, refetch, isPlaceholderData } = answer;
  if (error) {
    return (
      <section className={css["tile"]}>
        <h2>{title}</h2>
        <div className={css["wide"]}>
          <ErrorNote error={error} retry={refetch} />
        </div>
      </section>
    );
  }
  if (data === undefined) {
    return (
      <section className={css["tile"]} aria-busy="true">
        <h2>{title}</h2>
        <Skeleton height={34} width="120px" />
        <span />
        <Skeleton height={16} width="80%" />
      </section>
    );
  }
  const { figure, exact, isPart, shape, ahead, note } = read(data);
  return (
    <section
      className={classes(css["tile"], isPlaceholderData && ui["stale"])}
      data-tile={name}
      aria-busy={isPlaceholderData}
    >
      <h2>{title}</h2>
      <span className={classes(css["amount"], figure === UNKNOWN && css["unknown"])} title={exact} data-exact={exact}>
        {figure}
        {isPart && <small title="and requests whose cost is unknown">+?</small>}
      </span>
      {shape ? <Sparkline values={shape} label={`${title}, over time`} {...(ahead ? { ahead } : {})} /> : <span />}
      <span className={css["sub"]}>{note}</span>
    </section>
  );
}
