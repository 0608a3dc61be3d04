/** How a cost came about, as an invoice whose lines add up to it. */
import { addressOf, type Receipt as ReceiptView, useReceipt } from "../../api/requests";
import { count, exactMoney, moneyChange, UNKNOWN } from "../../format/format";
import { absolute } from "../../format/time";
import { CopyButton } from "../../ui/CopyButton";
import { Card, Loaded, Tag } from "../../ui/ui";
import { amountsOf, changeOf, csvOf, type Line, modelsOf, titleOfClass, unitPrice } from "./invoice";
import css from "./request.module.css";

export function Receipt({ requestKey, zone }: { requestKey: string; zone: string }) {
  const answer = useReceipt(requestKey);
  const tier = answer.data?.data.service_tier;
  return (
    <Card title="Receipt" note={tier ? `${tier} tier` : undefined} isStale={answer.isPlaceholderData}>
      <Loaded answer={answer} height={252}>
        {({ data, key }) => <Invoice receipt={data} requestKey={key} zone={zone} />}
      </Loaded>
    </Card>
  );
}

function Invoice({ receipt, requestKey, zone }: { receipt: ReceiptView; requestKey: string; zone: string }) {
  const models = modelsOf(receipt);
  const amounts = amountsOf([...receipt.lines.map(({ amount_usd }) => amount_usd), receipt.total_usd]);
  const amountOf = new Map(receipt.lines.map((line, index) => [line, amounts[index]]));
  return (
    <>
      <Notes receipt={receipt} />
      {(receipt.lines.length > 0 || receipt.total_usd !== null) && (
        <table className={css["invoice"]} data-table="receipt">
          {receipt.lines.length > 0 && (
            <thead>
              <tr>
                <th>used</th>
                <th className={css["figure"]}>quantity</th>
                <th className={css["figure"]}>unit price</th>
                <th className={css["figure"]}>amount</th>
              </tr>
            </thead>
          )}
          {models.map(({ model, lines }) => (
            <tbody key={model}>
              {models.length > 1 && (
                <tr className={css["model"]}>
                  <th colSpan={4} scope="rowgroup">
                    {model || "model not named"}
                  </th>
                </tr>
              )}
              {lines.map((line) => (
                <LineRow key={line.usage_class} line={line} amount={amountOf.get(line)} />
              ))}
            </tbody>
          ))}
          <tfoot>
            <tr className={css["total"]}>
              <td colSpan={2}>Total</td>
              <td colSpan={2} className={css["figure"]} data-receipt-total>
                {amounts.at(-1)}
              </td>
            </tr>
          </tfoot>
        </table>
      )}
      <Compared receipt={receipt} />
      <div className={css["price"]}>
        {models.map(({ model, price, why }) => (
          <PriceNote key={model} price={price} why={why} zone={zone} />
        ))}
        {receipt.context_tier && <span>{receipt.context_tier.why}</span>}
      </div>
      <Tools receipt={receipt} requestKey={requestKey} />
    </>
  );
}

function LineRow({ line, amount }: { line: Line; amount: string | undefined }) {
  return (
    <tr>
      <td>{titleOfClass(line.usage_class)}</td>
      <td className={css["figure"]}>{line.usage_class === "rounding" ? "" : count(line.quantity)}</td>
      <td className={css["figure"]} title={line.unit_usd === null ? undefined : exactMoney(line.unit_usd)}>
        {unitPrice(line)}
      </td>
      <td className={css["figure"]} title={exactMoney(line.amount_usd)}>
        {amount}
      </td>
    </tr>
  );
}

function Notes({ receipt }: { receipt: ReceiptView }) {
  return (
    <>
      {receipt.cost_usd === null && (
        <p className={css["warn"]}>
          The cost is {UNKNOWN}: {receipt.why ?? receipt.cost_state}
        </p>
      )}
      {receipt.cost_usd !== null && receipt.why && <p className={css["soft"]}>{receipt.why}</p>}
      {!receipt.reconciles && (
        <p className={css["warn"]}>The sum done again is not the stored cost. Please report this.</p>
      )}
      {receipt.usage_source !== "provider" && receipt.lines.length > 0 && (
        <p className={css["soft"]}>
          Quantities are <b>{receipt.usage_source}</b>, and not the provider's own.
        </p>
      )}
    </>
  );
}

/** The same charge elsewhere: before a re-pricing, as the provider has it, by our prices, without the cache. */
function Compared({ receipt }: { receipt: ReceiptView }) {
  const change = changeOf(receipt);
  const facts: [string, string, string][] = [];
  const say = (name: string, value: ReceiptView["cost_usd"], note = "") => facts.push([name, exactMoney(value), note]);
  if (receipt.reprice_id) {
    say("current", receipt.cost_usd, change === null ? "" : moneyChange(change, null));
    say("original, before re-pricing", receipt.original_cost_usd);
  }
  if (receipt.calculated) say("by our prices", receipt.calculated.total_usd, receipt.calculated.why ?? "");
  if (receipt.provider_cost_usd !== null && !receipt.calculated)
    say("reported by the provider", receipt.provider_cost_usd, receipt.cost_disputed ? "contradicts this sum" : "");
  if (receipt.cache_reference_id) say("saved by the response cache", receipt.cache_saved_usd);
  if (!facts.length) return null;
  return (
    <dl className={css["compared"]} data-list="compared">
      {facts.map(([name, value, note]) => [
        <dt key={name}>{name}</dt>,
        <dd key={`${name}-value`}>
          {value} {note && <Tag kind={note.startsWith("contradicts") ? "warn" : undefined}>{note}</Tag>}
        </dd>,
      ])}
    </dl>
  );
}

function PriceNote(props: { price: ReceiptView["price"]; why: string | null; zone: string }) {
  const { price, why, zone } = props;
  if (!price) return why ? <span>{why}</span> : null;
  return (
    <span>
      Price of <b>{price.model}</b>
      {price.service_tier && `, ${price.service_tier} tier,`} from <b>{price.source}</b>
      {price.checked_on && <>, checked on {price.checked_on}</>}
      {price.valid_from && <>, valid from {absolute(price.valid_from, zone)}</>}
      {/^https?:/.test(price.page_url) && (
        <>
          {" · "}
          <a href={price.page_url} target="_blank" rel="noreferrer noopener">
            price list
          </a>
        </>
      )}
    </span>
  );
}

function Tools({ receipt, requestKey }: { receipt: ReceiptView; requestKey: string }) {
  return (
    <div className={css["tools"]}>
      <CopyButton text={() => csvOf(receipt)}>Copy as CSV</CopyButton>
      <a href={addressOf(requestKey, "/cost")} target="_blank" rel="noreferrer">
        Raw JSON
      </a>
    </div>
  );
}
