/** Parts of both tables: a figure, the value of a group, and a heading that orders. */
import { type Maybe, pluralize, relativeChange, UNKNOWN } from "../../format/format";
import { bucketTitle } from "../../format/time";
import { bucketNameOf, dimensionTitle, isTime } from "../../state/dimensions";
import { BY_NAME, type Chip, type FigureName, withChip } from "../../state/search";
import { useChange, useView } from "../../state/view";
import { classes, LinkButton, Tag } from "../../ui/ui";
import css from "./explore.module.css";
import { exactText, figureText, type MeasureInfo, measureOf } from "./measures";
import type { Figures } from "./pivot";
import type { Exploration } from "./question";

/** A figure with every digit on hover; an amount that leaves requests out says so. */
export function Figure({ measure, figures, zone }: { measure: MeasureInfo; figures: Figures; zone: string }) {
  const value = figures[measure.name];
  const isCost = measure.name === "cost_usd";
  const unpriced = isCost ? Number(figures["unpriced_requests"] ?? 0) : 0;
  const exact = exactText(measure, value);
  // Nothing known beside something unknown is no zero.
  const isKnown = value !== null && value !== undefined && !(unpriced && Number(value) === 0);
  return (
    <span
      title={unpriced && exact ? `${exact}, and ${pluralize(unpriced, "request")} whose cost is unknown` : exact}
      className={classes(!isKnown && (isCost && unpriced ? css["unknown"] : css["faint"]))}
    >
      {isKnown ? figureText(measure, value, zone) : isCost && unpriced ? UNKNOWN : "–"}
      {isKnown && unpriced > 0 && <span className={css["unknown"]}> +?</span>}
    </span>
  );
}

export function valueTitle(dimension: string, value: string | null, zone: string): string {
  if (value === null || value === "") return `(no ${dimensionTitle(dimension)})`;
  return isTime(dimension) ? bucketTitle(value, bucketNameOf(dimension), zone) : value;
}

interface ValueProps {
  dimension: string;
  value: string | null;
  presence?: string | undefined;
}

/** Only requests of these values, by the same groups. */
export function useNarrow(): (...chips: Chip[]) => void {
  const { search } = useView();
  const change = useChange();
  return (...chips) => change({ filter: chips.reduce<Chip[]>(withChip, [...(search.filter ?? [])]) });
}

/** The value of a group; a click goes into it. A time is no filter. */
export function Value({ dimension, value, presence }: ValueProps) {
  const { zone } = useView();
  const narrow = useNarrow();
  const title = valueTitle(dimension, value, zone);
  return (
    <span className={css["value"]}>
      {isTime(dimension) ? (
        <time dateTime={value ?? ""}>{title}</time>
      ) : (
        <LinkButton onClick={() => narrow([dimension, "equals", value])} title={`Only ${title}`}>
          {title}
        </LinkButton>
      )}
      {(presence === "new" || presence === "gone") && <Tag>{presence}</Tag>}
    </span>
  );
}

export function RelativeChange({ value }: { value: Maybe }) {
  if (value === null || value === undefined) return <span className={css["faint"]}>–</span>;
  return relativeChange(value);
}

/** A click orders by the names of the groups, the first one first. */
export function NameHeading({ dimension, exploration }: { dimension: string; exploration: Exploration }) {
  const change = useChange();
  const [by, , direction] = exploration.order ?? (isTime(exploration.by) ? [BY_NAME, "value", "asc"] : []);
  const isOrder = by === BY_NAME;
  const title = dimensionTitle(dimension);
  return (
    <Sort
      label={`${title}, order by name`}
      title={title}
      direction={isOrder ? direction : undefined}
      onSort={() => change({ order: [BY_NAME, "value", isOrder && direction === "asc" ? "desc" : "asc"] })}
    />
  );
}

interface SortProps {
  label: string;
  title: string;
  direction: "asc" | "desc" | undefined;
  onSort: () => void;
}

function Sort({ label, title, direction, onSort }: SortProps) {
  return (
    <button
      type="button"
      className={css["sort"]}
      data-on={direction !== undefined || undefined}
      aria-label={label}
      onClick={onSort}
    >
      {title}
      <span aria-hidden="true">{direction && (direction === "desc" ? " ↓" : " ↑")}</span>
    </button>
  );
}

interface HeadingProps {
  measure: string;
  exploration: Exploration;
  figure?: FigureName;
  title?: string;
}

/** A click orders by it, the largest first; another turns that round. */
export function Heading({ measure, exploration, figure = "value", title }: HeadingProps) {
  const change = useChange();
  const [by, kind, direction] = exploration.order ?? [exploration.main, "value", "desc"];
  const isOrder = by === measure && kind === figure && (exploration.order !== undefined || !isTime(exploration.by));
  const name = measureOf(measure).title;
  return (
    <Sort
      label={title ? `${title}, order by ${figure === "value" ? "" : `${title} of `}${name}` : `${name}, order by it`}
      title={title ?? name}
      direction={isOrder ? direction : undefined}
      onSort={() => change({ order: [measure, figure, isOrder && direction === "desc" ? "asc" : "desc"] })}
    />
  );
}
