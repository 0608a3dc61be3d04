/** Groups line by line, each figure beside what it was; the rest and the total stay in sight. */
import type { Report, ReportRow } from "../../api/queries";
import type { Maybe } from "../../format/format";
import { dimensionTitle } from "../../state/dimensions";
import { useView } from "../../state/view";
import { classes } from "../../ui/ui";
import css from "./explore.module.css";
import { Figure, Heading, NameHeading, RelativeChange, Value } from "./figures";
import { changeText, measureOf } from "./measures";
import { type Change, changeOf, type Figures, keyIn, nothing, textOf } from "./pivot";
import type { Exploration } from "./question";

interface Shown {
  measures: Figures;
  before: Figures | undefined;
  change: Change;
}

function shownOf(row: unknown): Shown {
  const { measures, compared } = row as { measures: Figures; compared?: { measures: Figures } };
  return { measures, before: compared?.measures, change: changeOf(row) };
}

export function FlatTable({ report, exploration }: { report: Report; exploration: Exploration }) {
  const { by, across, measures, main } = exploration;
  const dimensions = across ? [by, across] : [by];
  const isCompared = Boolean(report.compared);
  const rows = report.rows as ReportRow[];
  const largest = Math.max(0, ...rows.map((row) => Number(row.measures[main] ?? 0)));
  return (
    <div className={css["scroll"]}>
      <table className={css["table"]} data-table="explore">
        <thead>
          <tr>
            {dimensions.map((dimension, index) => (
              <th key={dimension} scope="col" rowSpan={isCompared ? 2 : 1}>
                {index === 0 ? <NameHeading {...{ dimension, exploration }} /> : dimensionTitle(dimension)}
              </th>
            ))}
            {measures.map((name) => (
              <th
                key={name}
                scope={isCompared ? "colgroup" : "col"}
                className={classes(isCompared ? css["wide"] : css["figure"], css["first"])}
                colSpan={isCompared ? 4 : 1}
              >
                {isCompared ? measureOf(name).title : <Heading measure={name} exploration={exploration} />}
              </th>
            ))}
          </tr>
          {isCompared && (
            <tr>
              {measures.map((name) => [
                <th key={name} scope="col" className={classes(css["figure"], css["first"])}>
                  <Heading measure={name} exploration={exploration} title="now" />
                </th>,
                <th key={`${name} before`} scope="col" className={css["figure"]}>
                  <Heading measure={name} figure="previous" exploration={exploration} title="before" />
                </th>,
                <th key={`${name} change`} scope="col" className={css["figure"]}>
                  <Heading measure={name} figure="change" exploration={exploration} title="change" />
                </th>,
                <th key={`${name} percent`} scope="col" className={css["figure"]}>
                  <Heading measure={name} figure="relative" exploration={exploration} title="%" />
                </th>,
              ])}
            </tr>
          )}
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={dimensions.map((dimension, index) => keyIn(dimension, row.by[index])).join("\0")}
              data-group={row.by.map((value) => textOf(value) ?? "").join(" / ")}
            >
              {dimensions.map((dimension, index) => (
                <th key={dimension} scope="row">
                  <Value
                    dimension={dimension}
                    value={textOf(row.by[index])}
                    presence={index === dimensions.length - 1 && "compared" in row ? row.compared.presence : undefined}
                  />
                </th>
              ))}
              <Cells {...{ measures, main, isCompared, largest }} shown={shownOf(row)} />
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr data-group="rest">
            <th colSpan={dimensions.length} scope="row">
              {report.rest ? "Rest: all other groups" : "Rest: no other groups"}
            </th>
            <Cells
              {...{ measures, main, isCompared }}
              shown={shownOf({
                measures: report.rest ?? nothing(measures),
                compared: report.compared?.rest ?? undefined,
              })}
              isRest
              isNothing={!report.rest}
            />
          </tr>
          <tr data-group="total" className={css["total"]}>
            <th colSpan={dimensions.length} scope="row">
              Total
            </th>
            <Cells
              {...{ measures, main, isCompared }}
              shown={shownOf({ measures: report.total, compared: report.compared?.total })}
            />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

interface CellsProps {
  measures: readonly string[];
  main: string;
  isCompared: boolean;
  shown: Shown;
  /** Of the main measure, among all groups: how long a whole bar is. */
  largest?: number;
  isRest?: boolean;
  isNothing?: boolean;
}

function Cells({ measures, main, isCompared, shown, largest, isRest, isNothing }: CellsProps) {
  const { zone } = useView();
  return measures.map((name) => {
    const measure = measureOf(name);
    const isNone = isRest && !measure.adds;
    const change = shown.change[name];
    return [
      <td key={name} className={classes(css["figure"], css["first"])} data-measure={name}>
        {name === main && measure.adds && largest ? <Bar part={shown.measures[name]} of={largest} /> : null}
        {isNone || isNothing ? <Dash /> : <Figure measure={measure} figures={shown.measures} zone={zone} />}
      </td>,
      ...(isCompared
        ? [
            <td key={`${name} before`} className={classes(css["figure"], css["soft"])}>
              {shown.before && !isNone ? <Figure measure={measure} figures={shown.before} zone={zone} /> : <Dash />}
            </td>,
            <td key={`${name} change`} className={css["figure"]}>
              {isNone ? <Dash /> : changeText(measure, change?.absolute)}
            </td>,
            <td key={`${name} percent`} className={classes(css["figure"], css["soft"])}>
              <RelativeChange value={change?.relative} />
            </td>,
          ]
        : []),
    ];
  });
}

function Dash() {
  return <span className={css["faint"]}>–</span>;
}

function Bar({ part, of }: { part: Maybe; of: number }) {
  const share = Math.max(0, Math.min(1, Number(part ?? 0) / of));
  return <i className={css["barBehind"]} style={{ width: `${share * 100}%` }} aria-hidden="true" />;
}
