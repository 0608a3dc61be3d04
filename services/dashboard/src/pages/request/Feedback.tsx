/** How the response was rated and scored; a key that may write can rate it from here. */
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useSession } from "../../api/queries";
import { type OneRequest, rate, score } from "../../api/requests";
import { count } from "../../format/format";
import { Button, Card } from "../../ui/ui";
import css from "./request.module.css";

const RATING = "helicone-score-feedback";
const COUNTED_MS = 2500; // after which the row shows what was said

export function Feedback({ row, requestKey }: { row: OneRequest; requestKey: string }) {
  const client = useQueryClient();
  const permission = useSession().data?.permission;
  const [fault, setFault] = useState("");
  const mayWrite = permission === "admin" || permission === "rw";
  const scores = Object.entries(row.scores ?? {}).filter(([name]) => name !== RATING);

  /** Shown at once; the server has it durably when it answers, and in the row a moment later. */
  async function say(what: Promise<unknown>, change: Partial<OneRequest>) {
    setFault("");
    client.setQueryData<OneRequest>(["request", requestKey], (old) => old && { ...old, ...change });
    const failed = await what.then(
      () => "",
      (error: Error) => error.message,
    );
    setFault(failed);
    window.setTimeout(
      () => void client.invalidateQueries({ queryKey: ["request", requestKey] }),
      failed ? 0 : COUNTED_MS,
    );
  }

  function add(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [name, value] = [String(form.get("name")).trim(), Number(form.get("value"))];
    event.currentTarget.reset();
    void say(score(requestKey, name, value), { scores: { ...row.scores, [name]: value } });
  }

  if (!mayWrite && row.feedback_rating === null && !scores.length) return null;
  return (
    <Card title="Feedback and scores" note={mayWrite ? undefined : "this key may only read"}>
      <fieldset className={css["rating"]} aria-label="Rating">
        {([true, false] as const).map((rating) => (
          <Button
            key={String(rating)}
            aria-pressed={row.feedback_rating === rating}
            disabled={!mayWrite}
            onClick={() => void say(rate(requestKey, rating), { feedback_rating: rating })}
          >
            {rating ? "Good" : "Bad"}
          </Button>
        ))}
        <span className={css["soft"]}>
          {row.feedback_rating === null ? "not rated" : row.feedback_rating ? "rated as good" : "rated as bad"}
        </span>
      </fieldset>
      {scores.length > 0 && (
        <dl className={css["facts"]}>
          {scores.map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}-value`}>{count(value)}</dd>])}
        </dl>
      )}
      {mayWrite && (
        <form className={css["score"]} onSubmit={add}>
          <input name="name" aria-label="Name of the score" placeholder="score" required maxLength={64} />
          <input name="value" aria-label="Value of the score" placeholder="92" type="number" step="1" required />
          <Button type="submit">Set</Button>
        </form>
      )}
      {fault && (
        <p className={css["failed"]} role="alert">
          {fault}
        </p>
      )}
    </Card>
  );
}
