/** Where notices go: each channel with what became of the last one. An admin key adds, changes, tries and removes them. */
import { useState } from "react";
import { type Channel, type Delivery, type NewChannel, tryChannel, useChange, useChannels } from "../../api/channels";
import { absolute, relative } from "../../format/time";
import { Refusal } from "../../ui/Dialog";
import { type Head, Sheet } from "../../ui/Sheet";
import { Button, Card, Empty, Loaded, Tag } from "../../ui/ui";
import { ChannelDialog, RemoveChannelDialog, SigningKeyDialog } from "./ChannelDialogs";
import css from "./channels.module.css";
import { LogDialog, TestDialog } from "./LogDialog";
import { keptText, outcomeOf, targetText } from "./words";

type Open =
  | { what: "new" }
  | { what: "edit" | "remove" | "log"; channel: Channel }
  | { what: "test"; channel: Channel; sent: Delivery }
  | { what: "key"; made: NewChannel };

export function ChannelsCard({ isAdmin, zone }: { isAdmin: boolean; zone: string }) {
  const channels = useChannels();
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const onSaved = (made: NewChannel) => setOpen(made.signing_key ? { what: "key", made } : undefined);
  const add = (
    <Button kind="primary" onClick={() => setOpen({ what: "new" })}>
      Add a channel
    </Button>
  );
  return (
    <Card
      title="Channels"
      note={<span className={css["tools"]}>where alerts, budgets and reports go {isAdmin && add}</span>}
      flush
    >
      <div className={css["inset"]}>
        <Loaded answer={channels} height={96}>
          {({ data }) =>
            data.length ? (
              <ChannelsTable channels={data} isAdmin={isAdmin} zone={zone} onOpen={setOpen} />
            ) : (
              <Empty>
                There are none: nobody is notified of anything. Mail, Slack, Teams, PagerDuty, or a webhook.
              </Empty>
            )
          }
        </Loaded>
      </div>
      {open?.what === "new" && <ChannelDialog onClose={close} onSaved={onSaved} />}
      {open?.what === "edit" && <ChannelDialog channel={open.channel} onClose={close} onSaved={onSaved} />}
      {open?.what === "remove" && <RemoveChannelDialog channel={open.channel} onClose={close} />}
      {open?.what === "log" && <LogDialog channel={open.channel} zone={zone} onClose={close} />}
      {open?.what === "test" && <TestDialog channel={open.channel} sent={open.sent} onClose={close} />}
      {open?.what === "key" && <SigningKeyDialog made={open.made} onClose={close} />}
    </Card>
  );
}

interface TableProps {
  channels: readonly Channel[];
  isAdmin: boolean;
  zone: string;
  onOpen: (open: Open) => void;
}

const HEADS: readonly Head[] = [
  { title: "channel" },
  { title: "leads to" },
  { title: "last notice" },
  { title: "what can be done", isHidden: true },
];

function ChannelsTable({ channels, isAdmin, zone, onOpen }: TableProps) {
  const trying = useChange<Delivery>();
  const now = Date.now();
  const send = (channel: Channel) =>
    trying.mutate(tryChannel(channel.id), { onSuccess: (sent) => onOpen({ what: "test", channel, sent }) });
  return (
    <>
      <Sheet label="Channels" name="channels" className={css["table"]} isStacked heads={HEADS}>
        <tbody>
          {channels.map((channel) => (
            <tr key={channel.id} data-channel={channel.name}>
              <td className={css["name"]} title={channel.id}>
                <span>{channel.name}</span>
              </td>
              <td className={css["target"]}>
                <span>{targetText(channel)}</span> {channel.private && <Tag>may be private</Tag>}
                {keptText(channel.kept_secrets) && <small>{keptText(channel.kept_secrets)}</small>}
              </td>
              <td className={css["last"]}>
                <Last delivery={channel.last_delivery} now={now} zone={zone} />
              </td>
              <td className={css["actions"]}>
                {isAdmin && (
                  <Button kind="quiet" disabled={trying.isPending} onClick={() => send(channel)}>
                    Send a test
                  </Button>
                )}
                <Button kind="quiet" onClick={() => onOpen({ what: "log", channel })}>
                  Log
                </Button>
                {isAdmin && (
                  <>
                    <Button kind="quiet" onClick={() => onOpen({ what: "edit", channel })}>
                      Edit
                    </Button>
                    <Button kind="quiet" onClick={() => onOpen({ what: "remove", channel })}>
                      Delete
                    </Button>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </Sheet>
      <Refusal error={trying.error} />
    </>
  );
}

function Last({ delivery, now, zone }: { delivery: Delivery | null; now: number; zone: string }) {
  if (!delivery) return <span className={css["soft"]}>none yet</span>;
  const { title, kind, detail } = outcomeOf(delivery);
  return (
    <>
      <Tag kind={kind}>{title}</Tag>{" "}
      <span title={absolute(delivery.created_at, zone)}>{relative(delivery.created_at, now, zone)}</span>
      {detail && <small>{detail}</small>}
    </>
  );
}
