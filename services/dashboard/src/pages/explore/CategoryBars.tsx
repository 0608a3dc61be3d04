/** A bar for each group, in parts by the second dimension where these add up. */
import type { Report, ReportRow } from "../../api/queries";
import chart from "../../chart/chart.module.css";
import { paletteOf, SHOWN_GROUPS } from "../../chart/series";
import { pluralize } from "../../format/format";
import { useView } from "../../state/view";
import { Empty } from "../../ui/ui";
import css from "./explore.module.css";
import { Figure, useNarrow, Value, valueTitle } from "./figures";
import { exactText, measureOf } from "./measures";
import { type Figures, type Pivot, textOf } from "./pivot";
import type { Exploration } from "./question";

interface Part {
  key: string;
  title: string;
  colour: number;
  value: string | null;
  amount: number;
  exact: string | undefined;
}

interface Bar {
  key: string;
  value: string | null;
  figures: Figures;
  parts: Part[];
}

interface Props {
  report: Report;
  exploration: Exploration;
  pivot: Pivot | undefined;
}

export function CategoryBars({ report, exploration, pivot }: Props) {
  const { by, across, main } = exploration;
  const { zone } = useView();
  const narrow = useNarrow();
  const measure = measureOf(main);
  if (measure.unit === "time") return <Empty>A date is no length: take another figure.</Empty>;
  const isStacked = pivot !== undefined && measure.adds;
  const columns = pivot?.columns.slice(0, SHOWN_GROUPS) ?? [];
  const colours = paletteOf(across ?? "").colourOf(columns.map(({ key }) => key));
  const part = (
    key: string,
    title: string,
    colour: number,
    value: string | null,
    figures: Figures | undefined,
  ): Part => ({
    key,
    title,
    colour,
    value,
    amount: Math.max(0, Number(figures?.[main] ?? 0)),
    exact: exactText(measure, figures?.[main]),
  });
  const bars: Bar[] = pivot
    ? [...pivot.lines, pivot.rest].map((line) => {
        const own = columns.map(({ key, value }, index) =>
          part(key, valueTitle(across ?? "", value, zone), colours[index] ?? 0, value, line.cells[index]),
        );
        const shown = own.reduce((all, { amount }) => all + amount, 0);
        const rest = Math.max(0, Number(line.total[main] ?? 0) - shown);
        return {
          key: line.key,
          value: line.value,
          figures: line.total,
          parts: isStacked
            ? [...own, { ...part("rest", "rest", 0, null, undefined), amount: rest > 1e-9 ? rest : 0 }]
            : [part("all", measure.title, 1, null, line.total)],
        };
      })
    : (report.rows as ReportRow[]).map((row) => ({
        key: textOf(row.by[0]) ?? "",
        value: textOf(row.by[0]),
        figures: row.measures as Figures,
        parts: [part("all", measure.title, 1, null, row.measures as Figures)],
      }));
  const shown = bars.filter(
    ({ key, figures }) => key !== "rest" || Number(figures[main] ?? 0) > 0 || unknownIn(main, figures) > 0,
  );
  const unknownOf = (figures: Figures) => unknownIn(main, figures);
  const largest = Math.max(0, ...shown.map(({ figures }) => Number(figures[main] ?? 0))) || 1;
  return (
    <>
      {isStacked && (
        <div className={css["legend"]}>
          {columns.map(({ key, value }, index) => (
            <span key={key}>
              <i className={chart[`swatch${colours[index] ?? 0}`]} />
              {valueTitle(across ?? "", value, zone)}
            </span>
          ))}
          {bars.some(({ parts }) => (parts.at(-1)?.amount ?? 0) > 0) && (
            <span>
              <i className={chart["swatch0"]} />
              rest
            </span>
          )}
        </div>
      )}
      <div className={css["bars"]} data-chart="groups">
        {shown.map(({ key, value, figures, parts }) => [
          key === "rest" ? <span key={key}>Rest: all others</span> : <Value key={key} dimension={by} value={value} />,
          <div key={`${key} bar`} className={css["track"]}>
            {parts
              .filter(({ amount }) => amount > 0)
              .map(({ key: name, title, colour, value: column, amount, exact }) => {
                const look = {
                  style: { width: `${(amount / largest) * 100}%`, background: colorOf(colour) },
                  title: `${title}: ${exact ?? ""}`,
                };
                return key === "rest" || name === "rest" || name === "all" || !across ? (
                  <i key={name} {...look} />
                ) : (
                  <button
                    key={name}
                    type="button"
                    {...look}
                    aria-label={`Only ${valueTitle(by, value, zone)}, ${title}`}
                    onClick={() => narrow([by, "equals", value], [across, "equals", column])}
                  />
                );
              })}
            {unknownOf(figures) > 0 && (
              <i
                className={css["unpriced"]}
                title={`${pluralize(unknownOf(figures), "request")} whose cost is unknown`}
              />
            )}
          </div>,
          <Figure key={`${key} figure`} measure={measure} figures={figures} zone={zone} />,
        ])}
      </div>
    </>
  );
}

/** Requests whose cost is not in the bar; of other figures nothing is missing. */
function unknownIn(main: string, figures: Figures): number {
  return main === "cost_usd" ? Number(figures["unpriced_requests"] ?? 0) : 0;
}

function colorOf(colour: number): string {
  return `var(--series-${colour || "rest"})`;
}
