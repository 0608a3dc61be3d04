/** Which number of which requests. */
import { useProperties } from "../../api/queries";
import { Filter } from "../../frame/Filter";
import { Picker } from "../../frame/Picker";
import { dimensionTitle, GROUP_COLUMNS } from "../../state/dimensions";
import { Fault, Field, Fields } from "../../ui/Dialog";
import { Button, Menu } from "../../ui/ui";
import { type Aggregation, METRICS, metricOf } from "../alerts/metrics";
import { withMetric } from "./draft";
import css from "./form.module.css";
import { Part, type PartProps } from "./parts";

const AGGREGATIONS: Record<Aggregation, string> = {
  sum: "sum",
  avg: "average of requests",
  percentile: "percentile of requests",
  max: "highest of a request",
  min: "lowest of a request",
};
const MOST_GROUPS = 3;

interface Props extends PartProps {
  /** A filter that chips cannot say. */
  kept: unknown;
  onReplace: () => void;
}

export function Watched({ draft, set, setDraft, faults, kept, onReplace }: Props) {
  const { aggregations } = metricOf(draft.metric);
  return (
    <Part title="What is watched">
      <Fields>
        <Field label="Name" hint="what people know it by" fault={faults["name"]} isWide>
          <input
            value={draft.name}
            required
            maxLength={200}
            placeholder="Daily cost of production"
            onChange={(event) => set({ name: event.target.value })}
          />
        </Field>
        <Field label="Number" fault={faults["metric"]}>
          <select value={draft.metric} onChange={(event) => setDraft((old) => withMetric(old, event.target.value))}>
            {Object.entries(METRICS).map(([name, { title }]) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
          </select>
        </Field>
        {aggregations.length > 1 && (
          <Field label="As" fault={faults["aggregation"]}>
            <select
              value={draft.aggregation}
              onChange={(event) => set({ aggregation: event.target.value as Aggregation })}
            >
              {aggregations.map((one) => (
                <option key={one} value={one}>
                  {AGGREGATIONS[one]}
                </option>
              ))}
            </select>
          </Field>
        )}
        {aggregations.length > 1 && draft.aggregation === "percentile" && (
          <Field label="Percentile" hint="above 0, below 100" fault={faults["percentile"]}>
            <input
              inputMode="decimal"
              value={draft.percentile}
              onChange={(event) => set({ percentile: event.target.value })}
            />
          </Field>
        )}
      </Fields>
      <div className={css["field"]}>
        <span className={css["label"]}>Of which requests</span>
        {kept === undefined ? (
          <div>
            <Filter
              key={JSON.stringify(draft.chips)}
              chips={draft.chips}
              onChange={(chips) => set({ chips: chips ?? [] })}
            />
          </div>
        ) : (
          <div className={css["kept"]}>
            <code>{JSON.stringify(kept)}</code>
            <Button onClick={onReplace}>Replace this filter</Button>
          </div>
        )}
        {faults["filter"] ? <Fault>{faults["filter"]}</Fault> : <small>empty: of all requests</small>}
      </div>
      <div className={css["field"]}>
        <span className={css["label"]}>One state for each</span>
        <Groups by={draft.by} onChange={(by) => set({ by })} />
        {faults["by"] ? (
          <Fault>{faults["by"]}</Fault>
        ) : (
          <small>
            {draft.by.length ? "each group has its own number, and has notices of its own" : "none: one number of all"}
          </small>
        )}
      </div>
    </Part>
  );
}

function Groups({ by, onChange }: { by: readonly string[]; onChange: (by: readonly string[]) => void }) {
  const more = by.length ? "and…" : "user, model, property…";
  return (
    <div className={css["groups"]}>
      {by.map((name) => (
        <Button
          key={name}
          aria-label={`Not for each ${dimensionTitle(name)}`}
          onClick={() => onChange(by.filter((one) => one !== name))}
        >
          {dimensionTitle(name)} <span aria-hidden="true">×</span>
        </Button>
      ))}
      {by.length < MOST_GROUPS && (
        <Menu label={`One state for each ${more}`} button={more}>
          {(close) => (
            <GroupPicker
              by={by}
              onChoose={(name) => {
                onChange([...by, name]);
                close();
              }}
            />
          )}
        </Menu>
      )}
    </div>
  );
}

/** Asked for when the menu opens: the form needs no properties before. */
function GroupPicker({ by, onChoose }: { by: readonly string[]; onChoose: (name: string) => void }) {
  const properties = useProperties().data?.data ?? [];
  const left = (names: readonly string[]) => names.filter((name) => !by.includes(name));
  return (
    <Picker
      label="Group"
      sections={[
        { title: "Properties", names: left(properties.map(({ property }) => `@${property}`)) },
        { title: "Columns", names: left(GROUP_COLUMNS) },
      ]}
      titleOf={dimensionTitle}
      isChosen={() => false}
      onChoose={onChoose}
    />
  );
}
