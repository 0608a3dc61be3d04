/** The keys of the organization. An admin key makes, rotates and revokes them; each secret is shown once. */
import { useState } from "react";
import { type ApiKey, type NewKey, useKeysList } from "../../api/keys";
import { absolute, relative } from "../../format/time";
import { type Head, Sheet } from "../../ui/Sheet";
import { Button, Card, classes, Empty, Loaded, Tag } from "../../ui/ui";
import { NewKeyDialog, RenameDialog, RevokeDialog, RotateDialog, SecretDialog } from "./KeyDialogs";
import css from "./settings.module.css";

export const PERMISSIONS: Record<ApiKey["key_permissions"], string> = {
  rw: "call and query",
  r: "query only",
  w: "call only",
  admin: "admin",
};

type Open = { what: "new" } | { what: "rename" | "rotate" | "revoke"; key: ApiKey } | { what: "secret"; made: NewKey };

export function KeysCard({ isAdmin, zone }: { isAdmin: boolean; zone: string }) {
  const keys = useKeysList();
  const [open, setOpen] = useState<Open>();
  const [withRevoked, setWithRevoked] = useState(false);
  const close = () => setOpen(undefined);
  const all = keys.data?.data ?? [];
  const shown = all.filter(({ state }) => withRevoked || state !== "revoked");
  const revoked = all.length - all.filter(({ state }) => state !== "revoked").length;
  return (
    <Card
      title="API keys"
      note={
        <span className={css["tools"]}>
          {revoked > 0 && (
            <Button kind="quiet" onClick={() => setWithRevoked(!withRevoked)} aria-pressed={withRevoked}>
              {withRevoked ? "Hide revoked" : `Show ${revoked} revoked`}
            </Button>
          )}
          {isAdmin && (
            <Button kind="primary" onClick={() => setOpen({ what: "new" })}>
              Create a key
            </Button>
          )}
        </span>
      }
      flush
    >
      <div className={css["inset"]}>
        <Loaded answer={keys} height={180}>
          {() =>
            shown.length ? (
              <KeysTable keys={shown} all={all} isAdmin={isAdmin} zone={zone} onOpen={setOpen} />
            ) : (
              <Empty>No key is in force.</Empty>
            )
          }
        </Loaded>
      </div>
      {open?.what === "new" && (
        <NewKeyDialog zone={zone} onClose={close} onMade={(made) => setOpen({ what: "secret", made })} />
      )}
      {open?.what === "rename" && <RenameDialog of={open.key} onClose={close} />}
      {open?.what === "rotate" && (
        <RotateDialog of={open.key} onClose={close} onMade={(made) => setOpen({ what: "secret", made })} />
      )}
      {open?.what === "revoke" && <RevokeDialog of={open.key} onClose={close} />}
      {open?.what === "secret" && <SecretDialog made={open.made} zone={zone} onClose={close} />}
    </Card>
  );
}

interface TableProps {
  keys: readonly ApiKey[];
  all: readonly ApiKey[];
  isAdmin: boolean;
  zone: string;
  onOpen: (open: Open) => void;
}

const HEADS: readonly Head[] = [
  { title: "key" },
  { title: "permission" },
  { title: "tags", className: css["optional"] },
  { title: "last used" },
  { title: "made", className: css["optional"] },
  { title: "ends" },
];
const ACTIONS: Head = { title: "what can be done", isHidden: true };

function KeysTable({ keys, all, isAdmin, zone, onOpen }: TableProps) {
  const now = Date.now();
  return (
    <Sheet
      label="API keys"
      name="keys"
      className={css["table"]}
      isStacked
      heads={isAdmin ? [...HEADS, ACTIONS] : HEADS}
    >
      <tbody>
        {keys.map((key) => (
          <tr key={key.id} className={key.state === "active" ? undefined : css["over"]} data-key={key.api_key_name}>
            <td className={css["name"]}>
              <span title={key.id}>
                {key.api_key_name} {key.is_own && <Tag>yours</Tag>}
              </span>
              <small>
                <code>…{key.hint}</code>
              </small>
            </td>
            <td>{PERMISSIONS[key.key_permissions]}</td>
            <td className={classes(css["optional"], css["tags"])}>
              <Tags of={key} />
            </td>
            <td data-label="used" title={key.last_used_at ? absolute(key.last_used_at, zone) : undefined}>
              {key.last_used_at ? used(key.last_used_at, now, zone) : <span className={css["soft"]}>never</span>}
            </td>
            <td className={css["optional"]}>
              <span title={absolute(key.created_at, zone)}>{relative(key.created_at, now, zone)}</span>
              <small>by {whoMade(key.created_by, all)}</small>
            </td>
            <td data-label={key.state === "active" ? "ends" : undefined}>
              <End of={key} now={now} zone={zone} all={all} />
            </td>
            {isAdmin && (
              <td className={css["actions"]}>
                {key.state === "active" && (
                  <>
                    <Button kind="quiet" onClick={() => onOpen({ what: "rename", key })}>
                      Rename
                    </Button>
                    <Button kind="quiet" onClick={() => onOpen({ what: "rotate", key })}>
                      Rotate
                    </Button>
                  </>
                )}
                {key.state !== "revoked" && (
                  <Button kind="quiet" onClick={() => onOpen({ what: "revoke", key })}>
                    Revoke
                  </Button>
                )}
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </Sheet>
  );
}

const ACCURACY_MS = 5 * 60_000;

/** A use is written down every five minutes. */
function used(timestamp: string, now: number, zone: string): string {
  return now - Date.parse(timestamp) < ACCURACY_MS ? "just now" : relative(timestamp, now, zone);
}

function whoMade(by: string, all: readonly ApiKey[]): string {
  if (by === "cli") return "command line";
  return all.find(({ id }) => id === by)?.api_key_name ?? "a key that is gone";
}

function Tags({ of: { tags } }: { of: ApiKey }) {
  const pairs = (given: Record<string, string>) => Object.entries(given).map(([name, value]) => `${name} = ${value}`);
  const parts = [
    ...pairs(tags.forced).map((text) => ({ text, title: "forced on every request" })),
    ...pairs(tags.default).map((text) => ({ text, title: "where a request sets none" })),
    ...tags.required.map((name) => ({ text: `${name} required`, title: "requests must set it" })),
  ];
  if (!parts.length) return <span className={css["soft"]}>none</span>;
  return parts.map(({ text, title }) => (
    <span key={text} title={title}>
      <Tag>{text}</Tag>
    </span>
  ));
}

function End({ of: key, now, zone, all }: { of: ApiKey; now: number; zone: string; all: readonly ApiKey[] }) {
  if (key.state === "revoked")
    return (
      <>
        <Tag kind="bad">revoked</Tag>
        {key.revoked_at && (
          <small>
            {relative(key.revoked_at, now, zone)} by {whoMade(key.revoked_by, all)}
          </small>
        )}
      </>
    );
  const isOldValid = key.old_secret_until !== null && Date.parse(key.old_secret_until) > now;
  return (
    <>
      {key.state === "expired" ? <Tag kind="bad">expired</Tag> : !key.expires_at && <span>never</span>}
      {key.expires_at && key.state === "active" && <span>{absolute(key.expires_at, zone)}</span>}
      {key.expires_at && key.state === "expired" && <small>{absolute(key.expires_at, zone)}</small>}
      {isOldValid && key.old_secret_until && <small>old secret until {absolute(key.old_secret_until, zone)}</small>}
    </>
  );
}
