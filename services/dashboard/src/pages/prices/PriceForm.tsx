/** A price of the organization's own, typed in. What is proposed is a hint: nothing is filled in by itself. */
import { type FormEvent, useState } from "react";
import { type AddedPrice, type Price, type RepriceBody, useAddPrice } from "../../api/prices";
import { digitsOf } from "../../format/decimal";
import { money } from "../../format/format";
import { Actions, Field, Fields, Note, Refusal } from "../../ui/Dialog";
import { Button, LinkButton } from "../../ui/ui";
import { rateTitle } from "./rates";

export interface Wanted {
  model: string;
  provider: string;
  /** ISO 8601: the price holds from there on. */
  since?: string | undefined;
  nearest?: Price | null | undefined;
}

interface Props {
  wanted: Wanted;
  zone: string;
  onCancel: () => void;
  onAdded: (added: AddedPrice, again: RepriceBody) => void;
}

const USUAL = ["prompt_tokens", "completion_tokens", "prompt_cache_read_tokens", "prompt_cache_write_5m_tokens"];

export function PriceForm({ wanted, zone, onCancel, onAdded }: Props) {
  const [rates, setRates] = useState<Record<string, string>>({});
  const adding = useAddPrice();
  const classes = [...USUAL, ...Object.keys(rates).filter((name) => !USUAL.includes(name))];

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const given = Object.entries(rates).filter(([, amount]) => amount.trim());
    const body = {
      model: text("model"),
      provider: text("provider"),
      service_tier: text("tier"),
      usd_per_million_tokens: Object.fromEntries(given.map(([name, amount]) => [name, amount.trim()])),
      ...(text("request") ? { usd_per_request: text("request") } : {}),
      ...(text("from") ? { valid_from: text("from") } : {}),
      ...(text("until") ? { valid_until: text("until") } : {}),
      time_zone: zone,
    };
    // Amounts go as they were typed: the server reads every digit.
    adding.mutate(body as never, {
      onSuccess: (added) =>
        onAdded(added, {
          model: body.model,
          provider: body.provider,
          since: text("from") || added.valid_from || "28d",
          time_zone: zone,
        }),
    });
  }

  return (
    <form onSubmit={submit}>
      {wanted.nearest && <Hint nearest={wanted.nearest} onTake={setRates} />}
      <Fields>
        <Field label="Model" hint="as billed; * stands for any text">
          <input name="model" defaultValue={wanted.model} required maxLength={200} spellCheck={false} />
        </Field>
        <Field label="Provider" hint="empty: any">
          <input name="provider" defaultValue={wanted.provider} maxLength={200} spellCheck={false} />
        </Field>
        {classes.map((name, index) => (
          <Field key={name} label={rateTitle(name)} hint={index === 0 ? "US dollars for a million tokens" : undefined}>
            <input
              inputMode="decimal"
              pattern="[0-9]*[.]?[0-9]+"
              title="US dollars, such as 0.60"
              placeholder={index < 2 ? "0.00" : "none"}
              value={rates[name] ?? ""}
              onChange={(event) => setRates({ ...rates, [name]: event.target.value })}
            />
          </Field>
        ))}
        <Field label="Valid from" hint={`in ${zone.replaceAll("_", " ")}; empty: now`}>
          <input name="from" type="datetime-local" defaultValue={wanted.since ? localMinute(wanted.since, zone) : ""} />
        </Field>
        <Field label="Valid until" hint="empty: for ever">
          <input name="until" type="datetime-local" />
        </Field>
        <Field label="Each request" hint="US dollars beside the tokens">
          <input name="request" inputMode="decimal" pattern="[0-9]*[.]?[0-9]+" placeholder="none" />
        </Field>
        <Field label="Service tier" hint="empty: the standard one">
          <input name="tier" maxLength={50} spellCheck={false} />
        </Field>
      </Fields>
      <Refusal error={adding.error} />
      <Actions>
        <Button onClick={onCancel}>Cancel</Button>
        <Button type="submit" kind="primary" disabled={adding.isPending}>
          {adding.isPending ? "Adding…" : "Add price"}
        </Button>
      </Actions>
    </form>
  );
}

function Hint({ nearest, onTake }: { nearest: Price; onTake: (rates: Record<string, string>) => void }) {
  const rates = Object.entries(nearest.usd_per_million_tokens).map(([name, usd]) => [name, digitsOf(usd)] as const);
  const shown = rates.slice(0, 2).map(([name, usd]) => `${money(usd)} ${rateTitle(name).toLowerCase()}`);
  return (
    <Note>
      The known model with the nearest name is <b>{nearest.model}</b> ({nearest.provider}): {shown.join(", ")}. That may
      be another model. <LinkButton onClick={() => onTake(Object.fromEntries(rates))}>Fill in its prices</LinkButton>
    </Note>
  );
}

/** The minute in `zone` that holds `timestamp`, as an input of the type datetime-local has it. */
export function localMinute(timestamp: string, zone: string): string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  return format.format(new Date(timestamp)).replace(" ", "T");
}
