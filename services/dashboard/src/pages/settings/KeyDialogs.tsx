/** Making, renaming, rotating and revoking a key; and a new secret, which nobody sees again. */
import { type FormEvent, useState } from "react";
import { type ApiKey, create, type NewKey, rename, revoke, rotate, useKeyChange } from "../../api/keys";
import { absolute } from "../../format/time";
import { CopyButton } from "../../ui/CopyButton";
import { Actions, Dialog, Field, Fields, Note, Refusal, Warning } from "../../ui/Dialog";
import { Button } from "../../ui/ui";
import css from "./settings.module.css";
import { pairsOf, TagLines } from "./tagLines";

interface Closing {
  onClose: () => void;
}

interface Making extends Closing {
  onMade: (made: NewKey) => void;
}

const HOUR_S = 3600;

export function NewKeyDialog({ zone, onClose, onMade }: Making & { zone: string }) {
  const change = useKeyChange<NewKey>();
  const [fault, setFault] = useState<Error | null>(null);
  const [isImport, setImport] = useState(false);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    try {
      setFault(null);
      const body = {
        api_key_name: text("name"),
        key_permissions: text("permission"),
        tags: {
          forced: pairsOf(text("forced")),
          default: pairsOf(text("default")),
          required: text("required")
            .split(/[,\n]/)
            .map((name) => name.trim())
            .filter(Boolean),
        },
        ...(text("expires") ? { expires_at: text("expires") } : {}),
        ...(text("secret") ? { secret: text("secret") } : {}),
        time_zone: zone,
      };
      change.mutate(create(body as never), { onSuccess: onMade });
    } catch (error) {
      setFault(error as Error);
    }
  }

  return (
    <Dialog title="Create a key" onClose={onClose} isWide>
      <form onSubmit={submit}>
        <Fields>
          <Field label="Name" hint="what people know it by">
            <input name="name" required maxLength={200} placeholder="search team" />
          </Field>
          <Field label="Permission">
            <select name="permission" defaultValue="rw">
              <option value="rw">send requests and see figures</option>
              <option value="w">send requests only</option>
              <option value="r">see figures only</option>
              <option value="admin">everything: prices and keys too</option>
            </select>
          </Field>
          <Field label="Expires" hint="empty: never">
            <input name="expires" type="datetime-local" />
          </Field>
          <Field label="Required tags" hint="requests without them are refused">
            <input name="required" placeholder="Feature, Environment" spellCheck={false} />
          </Field>
          <TagLines name="forced" label="Forced tags" hint="whatever the client sends" placeholder="team=search" />
          <TagLines
            name="default"
            label="Default tags"
            hint="where the client sends none"
            placeholder="Environment=production"
          />
          {isImport ? (
            <Field
              label="Secret"
              hint="such as a key of Helicone's, which clients keep; only its hash is stored"
              isWide
            >
              <input
                name="secret"
                type="password"
                autoComplete="off"
                minLength={16}
                maxLength={256}
                required
                spellCheck={false}
              />
            </Field>
          ) : (
            <div className={css["whole"]}>
              <Button kind="quiet" onClick={() => setImport(true)}>
                Use a secret that exists instead of a new one
              </Button>
            </div>
          )}
        </Fields>
        <Refusal error={fault ?? change.error} />
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" disabled={change.isPending}>
            {change.isPending ? "Creating…" : isImport ? "Import key" : "Create key"}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

/** A secret, this once. Where the client has its own there is nothing to show. */
export function SecretDialog({ made, zone, onClose }: Closing & { made: NewKey; zone: string }) {
  const { apiKey: secret, key } = made;
  if (!secret)
    return (
      <Dialog title={`${key.api_key_name} is a key now`} onClose={onClose}>
        <Note>Clients go on with the secret that they have. It ends with …{key.hint}.</Note>
        <Actions>
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </Actions>
      </Dialog>
    );
  return (
    <Dialog title={`The secret of ${key.api_key_name}`} onClose={onClose}>
      <Note>It is shown this once: only its hash is kept. Copy it to where it is needed.</Note>
      <div className={css["secret"]}>
        <code data-secret>{secret}</code>
        <CopyButton text={() => secret}>Copy</CopyButton>
      </div>
      {key.old_secret_until && <Note>The old secret is valid until {absolute(key.old_secret_until, zone)}.</Note>}
      {key.is_own && (
        <Warning>You are signed in with this key: sign in with the new secret before the old one ends.</Warning>
      )}
      <Actions>
        <Button kind="primary" onClick={onClose}>
          I have it
        </Button>
      </Actions>
    </Dialog>
  );
}

export function RotateDialog({ of: key, onClose, onMade }: Making & { of: ApiKey }) {
  const change = useKeyChange<NewKey>();
  const [hours, setHours] = useState(24);
  return (
    <Dialog title={`Rotate ${key.api_key_name}`} onClose={onClose}>
      <Note>
        The key gets a new secret. Its tags, and what is counted by it, stay. Clients change over while both secrets are
        valid.
      </Note>
      <Fields>
        <Field label="The old secret ends" isWide>
          <select value={hours} onChange={(event) => setHours(Number(event.target.value))}>
            <option value={0}>at once</option>
            <option value={1}>in an hour</option>
            <option value={24}>in a day</option>
            <option value={168}>in a week</option>
            <option value={720}>in 30 days</option>
          </select>
        </Field>
      </Fields>
      {key.is_own && hours === 0 && (
        <Warning>You are signed in with this key: the page asks for it again then.</Warning>
      )}
      <Refusal error={change.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          disabled={change.isPending}
          onClick={() => change.mutate(rotate(key.id, hours * HOUR_S), { onSuccess: onMade })}
        >
          {change.isPending ? "Rotating…" : "Rotate"}
        </Button>
      </Actions>
    </Dialog>
  );
}

export function RenameDialog({ of: key, onClose }: Closing & { of: ApiKey }) {
  const change = useKeyChange<ApiKey>();
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name") ?? "").trim();
    change.mutate(rename(key.id, name), { onSuccess: () => onClose() });
  }
  return (
    <Dialog title={`Rename ${key.api_key_name}`} onClose={onClose}>
      <form onSubmit={submit}>
        <Fields>
          <Field label="Name" isWide>
            <input name="name" required maxLength={200} defaultValue={key.api_key_name} />
          </Field>
        </Fields>
        <Refusal error={change.error} />
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" disabled={change.isPending}>
            Rename
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

export function RevokeDialog({ of: key, onClose }: Closing & { of: ApiKey }) {
  const change = useKeyChange<ApiKey>();
  return (
    <Dialog title={`Revoke ${key.api_key_name}?`} onClose={onClose}>
      <Note>
        All its secrets end, for good: queries within ten seconds, calls within two minutes, and sessions of this page
        that were begun with it. What was counted by it stays.
      </Note>
      {key.is_own && <Warning>You are signed in with this key: you will be signed out.</Warning>}
      <Refusal error={change.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          className={css["danger"] ?? ""}
          disabled={change.isPending}
          onClick={() => change.mutate(revoke(key.id), { onSuccess: () => onClose() })}
        >
          {change.isPending ? "Revoking…" : `Revoke …${key.hint}`}
        </Button>
      </Actions>
    </Dialog>
  );
}
