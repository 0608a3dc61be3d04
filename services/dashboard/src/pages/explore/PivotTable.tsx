/** The first dimension down, the second across; each cell with every figure, and darker the more it is of the largest. */
import { bucketLabel } from "../../format/time";
import { bucketNameOf, isTime } from "../../state/dimensions";
import { useView } from "../../state/view";
import { classes, LinkButton } from "../../ui/ui";
import css from "./explore.module.css";
import { Figure, Heading, NameHeading, RelativeChange, useNarrow, Value, valueTitle } from "./figures";
import { changeText, measureOf } from "./measures";
import { type Figures, type Line, largestOf, type Pivot } from "./pivot";
import type { Exploration } from "./question";

interface Props {
  pivot: Pivot;
  exploration: Exploration;
  across: string;
}

export function PivotTable({ pivot, exploration, across }: Props) {
  const { by, measures, main } = exploration;
  const view = useView();
  const isMany = measures.length > 1;
  const isCompared = view.compare !== "none";
  const largest = largestOf(pivot, main);
  const restTitle = isTime(across) ? "later" : "rest";
  const columnTitle = (value: string | null) =>
    isTime(across) && value !== null
      ? bucketLabel(value, bucketNameOf(across), view.zone)
      : valueTitle(across, value, view.zone);
  return (
    <div className={css["scroll"]}>
      <table className={css["table"]} data-table="pivot">
        <thead>
          <tr>
            <th scope="col" rowSpan={isMany ? 2 : 1}>
              <NameHeading dimension={by} exploration={exploration} />
            </th>
            <th
              scope={isMany ? "colgroup" : "col"}
              colSpan={measures.length + (isCompared ? 1 : 0)}
              className={classes(isMany ? css["wide"] : css["figure"], css["first"], css["whole"])}
            >
              {isMany ? "total" : <TotalHeading {...{ exploration, isCompared }} />}
            </th>
            {[...pivot.columns, { key: "rest", value: restTitle }].map(({ key, value }) => (
              <th
                key={key}
                scope={isMany ? "colgroup" : "col"}
                colSpan={measures.length}
                className={classes(isMany ? css["wide"] : css["figure"], css["first"])}
                title={key === "rest" ? undefined : valueTitle(across, value, view.zone)}
              >
                <span className={css["column"]}>{key === "rest" ? value : columnTitle(value)}</span>
              </th>
            ))}
          </tr>
          {isMany && (
            <tr>
              {measures.map((name, index) => (
                <th
                  key={name}
                  scope="col"
                  className={classes(css["figure"], css["whole"], index === 0 && css["first"])}
                >
                  <Heading measure={name} exploration={exploration} />
                </th>
              ))}
              {isCompared && (
                <th scope="col" className={classes(css["figure"], css["whole"])}>
                  <Heading measure={main} figure="relative" exploration={exploration} title="change" />
                </th>
              )}
              {[...pivot.columns, { key: "rest" }].map(({ key }) =>
                measures.map((name, index) => (
                  <th
                    key={`${key}\0${name}`}
                    scope="col"
                    className={classes(css["figure"], index === 0 && css["first"])}
                  >
                    {measureOf(name).title}
                  </th>
                )),
              )}
            </tr>
          )}
        </thead>
        <tbody>
          {pivot.lines.map((line) => (
            <tr key={line.key} data-group={line.value ?? ""}>
              <th scope="row">
                <Value dimension={by} value={line.value} presence={line.presence} />
              </th>
              <Cells {...{ line, pivot, exploration, across, largest, isCompared }} isOpen />
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr data-group="rest">
            <th scope="row">
              {pivot.isTruncated || exploration.having.length ? "Rest: all others" : "Rest: no others"}
            </th>
            <Cells line={pivot.rest} {...{ pivot, exploration, across, isCompared }} largest={0} />
          </tr>
          <tr data-group="total" className={css["total"]}>
            <th scope="row">Total</th>
            <Cells line={pivot.total} {...{ pivot, exploration, across, isCompared }} largest={0} />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function TotalHeading({ exploration, isCompared }: { exploration: Exploration; isCompared: boolean }) {
  return (
    <>
      <Heading measure={exploration.main} exploration={exploration} title="total" />
      {isCompared && (
        <>
          {" "}
          <Heading measure={exploration.main} figure="relative" exploration={exploration} title="change" />
        </>
      )}
    </>
  );
}

interface CellsProps {
  line: Line;
  pivot: Pivot;
  exploration: Exploration;
  across: string;
  largest: number;
  isCompared: boolean;
  isOpen?: boolean;
}

function Cells({ line, pivot, exploration, across, largest, isCompared, isOpen }: CellsProps) {
  const { by, measures, main } = exploration;
  const { zone } = useView();
  const narrow = useNarrow();
  const change = line.change[main];
  const Shown = line.key === "rest" ? LeftFigure : CellFigure;
  const isFilter = isOpen && !isTime(by) && !isTime(across);
  const open = (column: string | null) => narrow([by, "equals", line.value], [across, "equals", column]);
  return (
    <>
      {measures.map((name, index) => (
        <td
          key={name}
          className={classes(css["figure"], css["whole"], index === 0 && css["first"])}
          data-measure={name}
          data-column="total"
        >
          <Shown name={name} figures={line.total} zone={zone} />
        </td>
      ))}
      {isCompared && (
        <td
          className={classes(css["figure"], css["whole"], css["soft"])}
          title={changeText(measureOf(main), change?.absolute)}
        >
          <RelativeChange value={change?.relative} />
        </td>
      )}
      {pivot.columns.map(({ key, value }, column) =>
        measures.map((name, index) => {
          const figures = line.cells[column];
          const share = name === main && largest && measureOf(name).adds ? Number(figures?.[name] ?? 0) / largest : 0;
          return (
            <td
              key={`${key}\0${name}`}
              className={classes(css["figure"], index === 0 && css["first"], share > 0 && css["heat"])}
              style={share > 0 ? { ["--heat" as string]: `${Math.round(share * 100)}%` } : undefined}
              data-measure={name}
              data-column={value ?? ""}
            >
              {figures &&
                (isFilter && index === 0 ? (
                  <LinkButton onClick={() => open(value)}>
                    <Figure measure={measureOf(name)} figures={figures} zone={zone} />
                  </LinkButton>
                ) : (
                  <Shown name={name} figures={figures} zone={zone} />
                ))}
            </td>
          );
        }),
      )}
      {measures.map((name, index) => (
        <td
          key={`rest\0${name}`}
          className={classes(css["figure"], css["soft"], index === 0 && css["first"])}
          data-measure={name}
          data-column="rest"
        >
          <LeftFigure name={name} figures={line.rest} zone={zone} />
        </td>
      ))}
    </>
  );
}

function CellFigure({ name, figures, zone }: FigureProps) {
  return <Figure measure={measureOf(name)} figures={figures} zone={zone} />;
}

interface FigureProps {
  name: string;
  figures: Figures;
  zone: string;
}

/** What is left; nothing is a dash, as most of it is. */
function LeftFigure({ name, figures, zone }: FigureProps) {
  const value = figures[name];
  const isNothing =
    value === null || value === undefined || (Number(value) === 0 && !Number(figures["unpriced_requests"]));
  if (isNothing) return <span className={css["faint"]}>–</span>;
  return <Figure measure={measureOf(name)} figures={figures} zone={zone} />;
}
