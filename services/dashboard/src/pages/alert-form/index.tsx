/** Making an alert, and changing one: the form, and beside it when such an alert would have fired. */
import { useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import {
  type Alert,
  type AlertBody,
  type AlertChange,
  create,
  replace,
  useAlert,
  useAlertChange,
  useBacktest,
} from "../../api/alerts";
import { useSession } from "../../api/queries";
import { usePublish } from "../../frame/published";
import { chipsOf } from "../../state/filter";
import { useOwnSearch } from "../../state/sorting";
import { useView } from "../../state/view";
import { Actions, Refusal } from "../../ui/Dialog";
import { Button, Loaded } from "../../ui/ui";
import alerts from "../alerts/alerts.module.css";
import { bodyOf, changedOf, type Draft, draftOf, isComplete, newDraft, parseDraft } from "./draft";
import { faultsOf } from "./faults";
import css from "./form.module.css";
import { Notifications } from "./Notifications";
import { PREVIEW_DAYS, Preview } from "./Preview";
import { Watched } from "./Watched";
import { When } from "./When";

const QUIET_MS = 600;
const FORM = "alert-form";

export function NewAlert() {
  const { zone, search } = useView();
  const [own, change] = useOwnSearch();
  const [base] = useState(() => newDraft(zone, search.filter ?? []));
  const [first] = useState(() => parseDraft(own["draft"], base));
  usePublish({});
  return (
    <Form
      title="New alert"
      first={first}
      send={create}
      button="Create alert"
      onDraft={(draft) => change({ draft: changedOf(draft, base) })}
    />
  );
}

export function EditedAlert() {
  const { alertId } = useParams({ strict: false }) as { alertId: string };
  const answer = useAlert(alertId);
  usePublish({});
  return (
    <Loaded answer={answer} height={520}>
      {(alert) => (
        <Form
          key={alert.id}
          title={`Edit ${alert.name}`}
          first={draftOf(alert)}
          filter={alert.filter}
          send={(body) => replace(alertId, body)}
          button="Save alert"
          id={alertId}
        />
      )}
    </Loaded>
  );
}

interface Props {
  title: string;
  first: Draft;
  /** The alert's own. */
  filter?: unknown;
  send: (body: AlertBody) => AlertChange;
  button: string;
  id?: string;
  onDraft?: (draft: Draft) => void;
}

function Form({ title, first, filter, send, button, id, onDraft }: Props) {
  const [draft, setDraft] = useState(first);
  const [own, setOwn] = useState(filter);
  const kept = chipsOf(own ?? "all") ? undefined : own; // chips cannot say it
  const settled = useSettled(draft, QUIET_MS);
  const body = bodyOf(settled, own);
  // Whom it tells changes nothing of when: the same rule is tried once.
  const { channel_ids: _, emails: __, slack_channels: ___, ...rule } = body;
  const preview = useBacktest(
    isComplete(settled) ? { ...rule, name: "preview", since: `${PREVIEW_DAYS}d` } : undefined,
  );
  const change = useAlertChange<string | Alert>();
  const navigate = useNavigate();
  const isAdmin = useSession().data?.permission === "admin";
  const faults = faultsOf(change.error ?? preview.error);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the URL follows the form, and not the other way
  useEffect(() => onDraft?.(settled), [settled]);

  function edit(next: (old: Draft) => Draft) {
    if (change.error) change.reset(); // it was about what stood there before
    setDraft(next);
  }

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    change.mutate(send(bodyOf(draft, own)), {
      onSuccess: (made) =>
        void navigate({
          to: "/alerts/$alertId",
          params: { alertId: id ?? String(made) },
          search: ({ draft: _, ...old }: Record<string, unknown>) => old as never,
        }),
    });
  }

  const shared = { draft, set: (part: Partial<Draft>) => edit((old) => ({ ...old, ...part })), setDraft: edit, faults };
  return (
    <>
      <div className={alerts["top"]}>
        <h1>{title}</h1>
      </div>
      <div className={css["halves"]}>
        <form id={FORM} onSubmit={submit} className={css["form"]} aria-label={title}>
          <Watched {...shared} kept={kept} onReplace={() => setOwn(undefined)} />
          <When {...shared} />
          <Notifications {...shared} />
        </form>
        <Preview
          draft={settled}
          kept={kept}
          answer={preview}
          isPending={settled !== draft}
          isComplete={isComplete(settled)}
        />
        <div className={css["end"]}>
          {change.error && faults["form"] === undefined ? (
            <p className={css["foot"]} role="status">
              What is refused stands beside its field.
            </p>
          ) : (
            <Refusal error={change.error} />
          )}
          <Actions>
            <Button onClick={() => window.history.back()}>Cancel</Button>
            {isAdmin ? (
              <Button type="submit" form={FORM} kind="primary" disabled={change.isPending}>
                {change.isPending ? "Saving…" : button}
              </Button>
            ) : (
              <span className={css["foot"]}>Your key may read and try: an admin key makes alerts.</span>
            )}
          </Actions>
        </div>
      </div>
    </>
  );
}

/** `value` once it has not changed for `ms`. */
function useSettled<Value>(value: Value, ms: number): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
