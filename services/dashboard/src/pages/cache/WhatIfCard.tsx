/** The same usage at another service tier's price, or at another model's. */
import { type FormEvent, useState } from "react";
import { useWhatIf, type WhatIf } from "../../api/savings";
import { count, exactMoney, money, percent } from "../../format/format";
import { useView } from "../../state/view";
import grid from "../../ui/table.module.css";
import { Button, Card, classes, Loaded, Tag } from "../../ui/ui";
import { Assumptions } from "./Assumptions";
import css from "./cache.module.css";
import { rangeText } from "./figures";
import { savingsQuestion } from "./questions";

const TIERS = [{ serviceTier: "batch" }, { serviceTier: "flex" }];

export function WhatIfCard() {
  const view = useView();
  const [other, setOther] = useState<{ provider: string; model: string }>();
  const alternatives = other ? [...TIERS, other] : TIERS;
  const answer = useWhatIf(savingsQuestion<"WhatIfRequest">(view, { alternatives }));

  function choose(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const model = String(form.get("model")).trim();
    setOther(model ? { provider: String(form.get("provider")).trim().toUpperCase(), model } : undefined);
  }

  return (
    <Card title="At other prices" className={css["full"]} isStale={answer.isPlaceholderData}>
      <form className={css["choose"]} onSubmit={choose}>
        <input name="model" aria-label="Another model" placeholder="Another model: gpt-4o-mini" />
        <input name="provider" aria-label="Its provider" placeholder="provider: OPENAI" />
        <Button type="submit">Compare</Button>
      </form>
      <Loaded answer={answer} height={240}>
        {({ data }) => (
          <>
            <Alternatives data={data} />
            <Assumptions texts={data.assumptions} />
          </>
        )}
      </Loaded>
    </Card>
  );
}

function Alternatives({ data }: { data: WhatIf }) {
  return (
    <table className={classes(grid["table"], css["table"])} data-table="what-if">
      <thead>
        <tr>
          <th>alternative</th>
          <th className={grid["figure"]}>requests</th>
          <th className={grid["figure"]}>they cost</th>
          <th className={grid["figure"]}>would have cost</th>
          <th className={grid["figure"]}>to be saved</th>
        </tr>
      </thead>
      <tbody>
        {data.alternatives.map((one, index) => {
          const figures = data.total[index];
          if (!figures) return null;
          const name =
            one.kind === "model"
              ? [one.provider, one.model].filter(Boolean).join(" ")
              : `${one.service_tier || "standard"} tier`;
          const others = Number(figures.other_requests);
          return (
            <tr key={name}>
              <td>
                {name} {figures.exact && Number(figures.requests) > 0 && <Tag>exact</Tag>}
              </td>
              <td className={grid["figure"]} title={`${count(others)} cannot be compared`}>
                {count(figures.requests)}
                <small> of {count(Number(figures.requests) + others)}</small>
              </td>
              <td className={grid["figure"]} title={exactMoney(figures.cost_usd)}>
                {money(figures.cost_usd)}
              </td>
              <td className={grid["figure"]}>{rangeText(figures.alternative.low_usd, figures.alternative.high_usd)}</td>
              <td className={grid["figure"]}>
                <b>{rangeText(figures.saving.low_usd, figures.saving.high_usd)}</b>
                {Number(figures.cost_usd) > 0 && (
                  <small>
                    {" "}
                    up to {percent(Math.max(0, Number(figures.saving.high_usd) / Number(figures.cost_usd)), 0)}
                  </small>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
