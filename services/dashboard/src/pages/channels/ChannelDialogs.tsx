/** Adding, changing and deleting a channel. Secrets are typed here, and seen nowhere. */
import { type FormEvent, useState } from "react";
import { addChannel, type Channel, changeChannel, type NewChannel, removeChannel, useChange } from "../../api/channels";
import { CopyButton } from "../../ui/CopyButton";
import { Actions, Dialog, Field, Fields, FormEnd, Note, Refusal } from "../../ui/Dialog";
import { type Faults, faultsOf } from "../../ui/faults";
import { Button } from "../../ui/ui";
import css from "./channels.module.css";
import { bodyOf, FIELDS, fieldsOf, type Kind, SECRETS } from "./form";
import { KINDS, targetText } from "./words";

interface Closing {
  onClose: () => void;
}

export function ChannelDialog(props: Closing & { channel?: Channel; onSaved: (made: NewChannel) => void }) {
  const { channel, onClose, onSaved } = props;
  const saving = useChange<NewChannel>();
  const [kind, setKind] = useState<Kind>(channel?.kind ?? "email");
  const [isBot, setBot] = useState(Boolean(channel?.slack_channel));
  const faults = faultsOf(saving.error, FIELDS);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = bodyOf(kind, isBot, (name) => String(form.get(name) ?? "").trim());
    const what = channel ? changeChannel(channel.id, body) : addChannel({ ...body, kind });
    saving.mutate(what, { onSuccess: onSaved });
  }

  return (
    <Dialog title={channel ? `Edit ${channel.name}` : "Add a channel"} onClose={onClose} isWide>
      <form onSubmit={submit}>
        <Fields>
          <Field label="Name" hint="what people know it by" fault={faults.of("name")}>
            <input name="name" required maxLength={100} defaultValue={channel?.name} placeholder="finance" />
          </Field>
          {channel ? (
            <Field label="Kind" hint="another kind is another channel">
              <input value={KINDS[kind]} readOnly />
            </Field>
          ) : (
            <Field label="Kind">
              <select value={kind} onChange={(event) => setKind(event.target.value as Kind)}>
                {Object.entries(KINDS).map(([name, title]) => (
                  <option key={name} value={name}>
                    {title}
                  </option>
                ))}
              </select>
            </Field>
          )}
          {kind === "slack" && !channel && (
            <Field label="By" isWide>
              <select value={isBot ? "bot" : "hook"} onChange={(event) => setBot(event.target.value === "bot")}>
                <option value="hook">an incoming webhook, which has its own channel</option>
                <option value="bot">a bot, which posts to any channel that it is in</option>
              </select>
            </Field>
          )}
          {fieldsOf(kind, isBot).map((name) => (
            <Typed key={`${kind} ${name}`} name={name} kind={kind} channel={channel} faults={faults} />
          ))}
        </Fields>
        <FormEnd error={faults.other} isSaving={saving.isPending} onClose={onClose}>
          {channel ? "Save" : "Add channel"}
        </FormEnd>
      </form>
    </Dialog>
  );
}

interface TypedProps {
  name: (typeof FIELDS)[number];
  kind: Kind;
  channel: Channel | undefined;
  faults: Faults<(typeof FIELDS)[number]>;
}

const LABELS: Record<string, string> = {
  recipients: "Recipients",
  slack_channel: "Channel",
  url: "URL",
  token: "Bot token",
  routing_key: "Integration key",
  signing_key: "Signing key",
};
const HINTS: Record<string, string> = {
  recipients: "mail addresses, one a line",
  slack_channel: "#name or id",
  token: "xoxb-…; empty: that of FAREBOX_SLACK_TOKEN",
  routing_key: "of the Events API v2",
  signing_key: "empty: one is drawn, and shown once",
};
const URLS: Partial<Record<Kind, string>> = {
  slack: "of the incoming webhook",
  teams: "of a workflow that posts when a webhook request is received",
  webhook: "https://…, with a public address",
};
const OPTIONAL: readonly string[] = ["token", "signing_key"];

function Typed({ name, kind, channel, faults }: TypedProps) {
  const isKept = channel?.kept_secrets.includes(name) ?? false;
  const label = LABELS[name] ?? name;
  const hint = isKept
    ? "kept and not shown: what is typed here replaces it; empty leaves it"
    : name === "url"
      ? URLS[kind]
      : HINTS[name];
  if (name === "recipients")
    return (
      <Field label={label} hint={hint} fault={faults.of(name)} isWide>
        <textarea
          name={name}
          rows={3}
          required
          spellCheck={false}
          defaultValue={channel?.recipients.join("\n")}
          placeholder="finance@company.com"
        />
      </Field>
    );
  if (!SECRETS.includes(name))
    return (
      <Field label={label} hint={hint} fault={faults.of(name)}>
        <input name={name} required maxLength={81} defaultValue={channel?.slack_channel} placeholder="#alerts" />
      </Field>
    );
  return (
    <Field label={label} hint={hint} fault={faults.of(name)} isWide={name === "url"}>
      <input
        name={name}
        type="password"
        autoComplete="off"
        spellCheck={false}
        maxLength={2048}
        required={!isKept && !OPTIONAL.includes(name)}
        placeholder={isKept ? "•••••••• kept" : undefined}
      />
    </Field>
  );
}

/** The key by which a webhook's messages are verified, this once. */
export function SigningKeyDialog({ made, onClose }: Closing & { made: NewChannel }) {
  const key = made.signing_key ?? "";
  return (
    <Dialog title={`The signing key of ${made.name}`} onClose={onClose}>
      <Note>Its messages are signed by it. It is shown this once: copy it to the receiver, which verifies them.</Note>
      <div className={css["secret"]}>
        <code data-secret>{key}</code>
        <CopyButton text={() => key}>Copy</CopyButton>
      </div>
      <Actions>
        <Button kind="primary" onClick={onClose}>
          I have it
        </Button>
      </Actions>
    </Dialog>
  );
}

export function RemoveChannelDialog({ channel, onClose }: Closing & { channel: Channel }) {
  const removing = useChange<unknown>();
  return (
    <Dialog title={`Delete ${channel.name}?`} onClose={onClose}>
      <Note>
        Nothing more goes to {targetText(channel)}, and what waits for it is cancelled. Alerts, budgets and reports that
        name it tell their other channels only.
      </Note>
      <Refusal error={removing.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          className={css["danger"] ?? ""}
          disabled={removing.isPending}
          onClick={() => removing.mutate(removeChannel(channel.id), { onSuccess: () => onClose() })}
        >
          {removing.isPending ? "Deleting…" : "Delete channel"}
        </Button>
      </Actions>
    </Dialog>
  );
}
