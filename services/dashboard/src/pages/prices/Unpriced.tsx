/** Models whose requests have no cost: why, how much they used, and what helps; an admin key prices them here. */
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import type { RepriceBody, UnknownModel } from "../../api/prices";
import { useSession } from "../../api/queries";
import { compactCount, pluralize } from "../../format/format";
import { absolute } from "../../format/time";
import type { Search } from "../../state/search";
import type { Change } from "../../state/view";
import { Button, Tag } from "../../ui/ui";
import { PriceDialog, RepriceDialog } from "./PriceDialog";
import css from "./prices.module.css";

interface Props {
  models: readonly UnknownModel[];
  zone: string;
  /** At most so many. */
  limit?: number;
  /** The range that they are counted in, where it is not that of the page. */
  range?: Pick<Change, "range" | "from" | "to" | "at">;
}

export function UnpricedModels({ models, zone, limit, range }: Props) {
  const isAdmin = useSession().data?.permission === "admin";
  const [wanted, setWanted] = useState<UnknownModel>();
  const [again, setAgain] = useState<RepriceBody>();
  return (
    <>
      <div className={css["unpriced"]} data-list="unpriced">
        {models.slice(0, limit).map((model) => (
          <article key={`${model.provider}\0${model.model}\0${model.cause}`}>
            <div className={css["modelHead"]}>
              <code>{model.model || "(no model)"}</code>
              <Tag>{model.provider}</Tag>
              <Link
                to="/requests"
                search={(old) =>
                  ({
                    ...old,
                    ...range,
                    filter: [
                      ["model", "equals", model.model],
                      ["cost_usd", "equals", null],
                    ],
                  }) as Search
                }
              >
                {pluralize(model.requests, "request")}
              </Link>
            </div>
            <p>
              {tokens(model)}, since {absolute(model.first_seen_at, zone)}
            </p>
            {isAdmin && model.price_helps ? (
              <div className={css["tools"]}>
                <Button kind="primary" onClick={() => setWanted(model)}>
                  Add a price
                </Button>
                <Button onClick={() => setAgain(bodyOf(model, zone))}>Charge again</Button>
              </div>
            ) : (
              <p>{withCode(model.advice)}</p>
            )}
          </article>
        ))}
      </div>
      {wanted && (
        <PriceDialog
          wanted={{
            model: wanted.model,
            provider: wanted.provider,
            since: wanted.first_seen_at,
            nearest: wanted.nearest as never,
          }}
          zone={zone}
          onClose={() => setWanted(undefined)}
        />
      )}
      {again && <RepriceDialog body={again} onClose={() => setAgain(undefined)} />}
    </>
  );
}

export function bodyOf(model: { model: string; provider: string; first_seen_at: string }, zone: string): RepriceBody {
  return { model: model.model, provider: model.provider, since: model.first_seen_at, time_zone: zone };
}

function tokens({ prompt_tokens, completion_tokens }: UnknownModel): string {
  if (prompt_tokens === null || completion_tokens === null) return "tokens unknown";
  return `${compactCount(prompt_tokens)} tokens in, ${compactCount(completion_tokens)} out`;
}

/** Text between backticks is code. */
function withCode(text: string): ReactNode[] {
  // biome-ignore lint/suspicious/noArrayIndexKey: a sentence never changes
  return text.split("`").map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part));
}
