/** What stands across, which figures, of which groups, and as what. The first dimension is the bar's group-by. */
import { useState } from "react";
import { useProperties } from "../../api/queries";
import { Picker, type PickerSection } from "../../frame/Picker";
import { dimensionTitle, GROUP_COLUMNS, isTime, TIMES } from "../../state/dimensions";
import { SIGNS } from "../../state/filter";
import { BY_NAME, type Having, type Operator, type ViewName } from "../../state/search";
import { useChange } from "../../state/view";
import { Button, Menu, MenuItem } from "../../ui/ui";
import css from "./explore.module.css";
import { figureText, measureOf, SECTIONS } from "./measures";
import { DEFAULT_TOP, type Exploration, NONE } from "./question";

const TOPS = [10, 25, 50, 100, 500];
const VIEW_TITLES: Record<ViewName, string> = { pivot: "Pivot", table: "Table", chart: "Chart" };

export function Controls({ exploration }: { exploration: Exploration }) {
  const change = useChange();
  const { across, top, view } = exploration;
  const title = across ? dimensionTitle(across) : "nothing";
  return (
    <div className={css["controls"]}>
      <h1>Explore</h1>
      <Menu label={`Then by ${title}`} button={<>then by {title}</>}>
        {(close) => <Dimensions exploration={exploration} close={close} />}
      </Menu>
      <Menu label={`Figures: ${figuresTitle(exploration.measures)}`} button={figuresTitle(exploration.measures)}>
        {() => <Measures exploration={exploration} />}
      </Menu>
      <HavingMenu exploration={exploration} />
      <Menu label={`Groups: the top ${top}`} button={<>top {top}</>}>
        {(close) =>
          TOPS.map((many) => (
            <MenuItem
              key={many}
              isChosen={many === top}
              onChoose={() => {
                change({ top: many === DEFAULT_TOP ? undefined : many });
                close();
              }}
            >
              top {many}
            </MenuItem>
          ))
        }
      </Menu>
      <span className={css["toggle"]}>
        {(["pivot", "table", "chart"] as const).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={name === view}
            disabled={name === "pivot" && !across}
            title={name === "pivot" && !across ? "A pivot needs a second group" : undefined}
            onClick={() => change({ view: name === "pivot" ? undefined : name })}
          >
            {VIEW_TITLES[name]}
          </button>
        ))}
      </span>
    </div>
  );
}

function figuresTitle(measures: readonly string[]): string {
  const [first = "", ...more] = measures.map((name) => measureOf(name).title);
  return more.length > 1 ? `${first} and ${more.length} more` : [first, ...more].join(" and ");
}

function Dimensions({ exploration, close }: { exploration: Exploration; close: () => void }) {
  const change = useChange();
  const properties = useProperties().data?.data ?? [];
  const sections: PickerSection[] = [
    { title: "", names: [NONE] },
    { title: "Properties", names: properties.map(({ property }) => `@${property}`) },
    { title: "Time", names: isTime(exploration.by) ? [] : TIMES },
    { title: "Columns", names: GROUP_COLUMNS },
  ];
  return (
    <Picker
      label="Second group"
      sections={sections}
      titleOf={(name) => (name === NONE ? "nothing" : dimensionTitle(name))}
      isChosen={(name) => name === (exploration.across ?? NONE)}
      onChoose={(name) => {
        change({ across: name });
        close();
      }}
    />
  );
}

function Measures({ exploration }: { exploration: Exploration }) {
  const change = useChange();
  const { measures, order } = exploration;
  return (
    <Picker
      label="Figures"
      isMany
      sections={SECTIONS.map((section) => ({ title: section.title, names: section.measures.map(({ name }) => name) }))}
      titleOf={(name) => measureOf(name).title}
      isChosen={(name) => measures.includes(name)}
      onChoose={(name) => {
        const next = measures.includes(name) ? measures.filter((one) => one !== name) : [...measures, name];
        if (next.length)
          change({ measures: next, order: order && [BY_NAME, ...next].includes(order[0]) ? order : undefined });
      }}
    />
  );
}

const COMPARING: readonly Operator[] = ["gte", "gt", "lte", "lt", "equals", "not-equals"];

function havingText([measure, operator, value]: Having): string {
  const info = measureOf(measure);
  return `${info.title} ${SIGNS[operator]} ${value === null ? "unknown" : figureText(info, value, "UTC")}`;
}

/** Which groups are shown; the others are in the rest. */
function HavingMenu({ exploration }: { exploration: Exploration }) {
  const change = useChange();
  const { having, main } = exploration;
  const [measure, setMeasure] = useState(main);
  const [operator, setOperator] = useState<Operator>("gte");
  const [value, setValue] = useState("");
  const isShare = measureOf(measure).unit === "share";
  return (
    <>
      <Menu label="only groups with…" button="only groups with…">
        {(close) => (
          <form
            className={css["having"]}
            onSubmit={(event) => {
              event.preventDefault();
              const amount = isShare ? String(Number(value) / 100) : value;
              const others = having.filter(([name, sign]) => name !== measure || sign !== operator);
              change({ having: [...others, [measure, operator, amount]] });
              setValue("");
              close();
            }}
          >
            <select aria-label="Figure" value={measure} onChange={(event) => setMeasure(event.target.value)}>
              {SECTIONS.map(({ title, measures }) => (
                <optgroup key={title} label={title}>
                  {measures
                    .filter(({ unit }) => unit !== "time")
                    .map((info) => (
                      <option key={info.name} value={info.name}>
                        {info.title}
                      </option>
                    ))}
                </optgroup>
              ))}
            </select>
            <select
              aria-label="Operator"
              value={operator}
              onChange={(event) => setOperator(event.target.value as Operator)}
            >
              {COMPARING.map((name) => (
                <option key={name} value={name}>
                  {SIGNS[name]}
                </option>
              ))}
            </select>
            <input
              type="number"
              step="any"
              required
              aria-label={isShare ? "Percent" : "Value"}
              placeholder={isShare ? "percent" : "value"}
              value={value}
              onChange={(event) => setValue(event.target.value)}
            />
            <Button type="submit" kind="primary">
              Show
            </Button>
          </form>
        )}
      </Menu>
      {having.map((one) => (
        <span key={one.join("\0")} className={css["chip"]}>
          {havingText(one)}
          <button
            type="button"
            aria-label={`Remove ${havingText(one)}`}
            onClick={() => {
              const left = having.filter((other) => other !== one);
              change({ having: left.length ? left : undefined });
            }}
          >
            ×
          </button>
        </span>
      ))}
    </>
  );
}
