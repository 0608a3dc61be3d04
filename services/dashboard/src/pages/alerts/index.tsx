/** All alerts: each one, how it stands against its next threshold, and whom it notifies. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type Alert, type AlertState, type Alerts, mute, useAlertChange, useAlerts } from "../../api/alerts";
import { useChannels } from "../../api/channels";
import { useSession } from "../../api/queries";
import { pluralize } from "../../format/format";
import { absolute, relative, shortly } from "../../format/time";
import { usePublish } from "../../frame/published";
import { useView } from "../../state/view";
import { Refusal } from "../../ui/Dialog";
import { type Head, Sheet } from "../../ui/Sheet";
import { Button, Card, classes, Empty, Loaded, Tag } from "../../ui/ui";
import css from "./alerts.module.css";
import { Bullet } from "./Bullet";
import { MuteDialog, RemoveDialog } from "./dialogs";
import { EpisodesTable } from "./EpisodesTable";
import { StateMark } from "./State";
import { sentenceOf } from "./sentence";

type Open = { what: "mute" | "remove"; alert: Alert };

export default function AlertsPage() {
  const { zone } = useView();
  const isAdmin = useSession().data?.permission === "admin";
  const alerts = useAlerts();
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  usePublish({});
  return (
    <>
      <div className={css["top"]}>
        <h1>Alerts</h1>
        {alerts.data && <span className={css["soft"]}>{summaryOf(alerts.data.alerts)}</span>}
        {isAdmin ? (
          <span className={css["tools"]}>
            <NewLink>New alert</NewLink>
          </span>
        ) : (
          <span className={classes(css["tools"], css["soft"])}>Your key may read: an admin key changes alerts.</span>
        )}
      </div>
      <Card title="What is watched" note="evaluated each minute" flush>
        <div className={css["inset"]}>
          <Loaded answer={alerts} height={260}>
            {({ alerts: all }) =>
              all.length ? (
                <AlertsTable alerts={all} isAdmin={isAdmin} zone={zone} onOpen={setOpen} />
              ) : (
                <FirstAlert isAdmin={isAdmin} />
              )
            }
          </Loaded>
        </div>
      </Card>
      <Card title="When alerts fired" note={<Fired data={alerts.data} />} flush>
        <div className={css["inset"]}>
          <Loaded answer={alerts} height={120}>
            {({ history, alerts: all }) =>
              history.length ? (
                <EpisodesTable episodes={history} zone={zone} alerts={all} />
              ) : (
                <Empty>None has fired yet.</Empty>
              )
            }
          </Loaded>
        </div>
      </Card>
      {open?.what === "mute" && <MuteDialog alert={open.alert} zone={zone} onClose={close} />}
      {open?.what === "remove" && <RemoveDialog alert={open.alert} onClose={close} />}
    </>
  );
}

const RANKS: Record<AlertState, number> = { CRITICAL: 0, WARNING: 1, NO_DATA: 2, OK: 3 };

function worstFirst(alerts: readonly Alert[]): Alert[] {
  return [...alerts].sort((one, other) => RANKS[one.state] - RANKS[other.state]);
}

function summaryOf(alerts: readonly Alert[]): string {
  if (!alerts.length) return "";
  const firing = alerts.filter(({ state }) => state === "WARNING" || state === "CRITICAL").length;
  return firing ? `${firing} of ${pluralize(alerts.length, "alert")} firing` : `none of ${alerts.length} firing`;
}

function Fired({ data }: { data: Alerts | undefined }) {
  const all = Number(data?.historyTotalCount ?? 0);
  const shown = data?.history.length ?? 0;
  return all > shown ? `the latest ${shown} of ${all}` : "the latest first";
}

function NewLink({ children }: { children: string }) {
  return (
    // Not with what was begun before.
    <Link
      to="/alerts/new"
      search={({ draft: _, ...old }: Record<string, unknown>) => old as never}
      className={css["primary"] ?? ""}
    >
      {children}
    </Link>
  );
}

/** Said once, where there is nothing yet: what an alert is good for. */
function FirstAlert({ isAdmin }: { isAdmin: boolean }) {
  return (
    <Empty>
      <span className={css["first"]}>Nothing is watched yet</span>
      <span>
        An alert tells people before the invoice does: when a day costs more than it should, errors pile up, or a month
        is on its way past its budget.
      </span>
      {isAdmin ? <NewLink>Make the first alert</NewLink> : <span>An admin key makes alerts.</span>}
    </Empty>
  );
}

const HEADS: readonly Head[] = [
  { title: "alert" },
  { title: "state" },
  { title: "now" },
  { title: "tells" },
  { title: "evaluated", className: css["optional"] },
];
const ACTIONS: Head = { title: "what can be done", isHidden: true };

interface TableProps {
  alerts: readonly Alert[];
  isAdmin: boolean;
  zone: string;
  onOpen: (open: Open) => void;
}

function AlertsTable({ alerts, isAdmin, zone, onOpen }: TableProps) {
  const change = useAlertChange();
  const names = useChannelNames();
  const now = Date.now();
  return (
    <>
      <Refusal error={change.error} />
      <Sheet
        label="Alerts"
        name="alerts"
        className={css["table"]}
        isStacked
        heads={isAdmin ? [...HEADS, ACTIONS] : HEADS}
      >
        <tbody>
          {worstFirst(alerts).map((alert) => (
            <tr key={alert.id} data-alert={alert.name}>
              <td className={css["name"]}>
                <Link to="/alerts/$alertId" params={{ alertId: alert.id }} search={(old) => old}>
                  {alert.name}
                </Link>
                <small>{sentenceOf(alert)}</small>
              </td>
              <td className={css["standing"]}>
                <StateMark state={alert.state} />
                {isMuted(alert, now) && (
                  <small>
                    <Tag kind="warn">muted until {shortly(alert.muted_until ?? "", zone)}</Tag>
                  </small>
                )}
              </td>
              <td className={css["now"]}>
                <Bullet alert={alert} />
              </td>
              <td className={css["tells"]}>
                <ChannelNames ids={alert.channel_ids} names={names} />
              </td>
              <td className={css["optional"]}>
                {alert.evaluated_until ? (
                  <span title={absolute(alert.evaluated_until, zone)}>
                    {relative(alert.evaluation?.evaluated_at ?? alert.evaluated_until, now, zone)}
                  </span>
                ) : (
                  <span className={css["soft"]}>not yet</span>
                )}
              </td>
              {isAdmin && (
                <td className={css["actions"]}>
                  {isMuted(alert, now) ? (
                    <Button
                      kind="quiet"
                      disabled={change.isPending}
                      onClick={() => change.mutate(mute(alert.id, null))}
                    >
                      Unmute
                    </Button>
                  ) : (
                    <Button kind="quiet" onClick={() => onOpen({ what: "mute", alert })}>
                      Mute
                    </Button>
                  )}
                  <Button kind="quiet" onClick={() => onOpen({ what: "remove", alert })}>
                    Delete
                  </Button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </Sheet>
    </>
  );
}

export function isMuted({ muted_until: until }: Pick<Alert, "muted_until">, now: number): boolean {
  return until !== null && Date.parse(until) > now;
}

/** By id; undefined while they are on their way. */
export function useChannelNames(): ReadonlyMap<string, string> | undefined {
  const channels = useChannels().data?.data;
  return channels && new Map(channels.map(({ id, name }) => [id, name]));
}

export function ChannelNames({
  ids,
  names,
}: {
  ids: readonly string[];
  names: ReadonlyMap<string, string> | undefined;
}) {
  if (!ids.length) return <span className={css["nobody"]}>nobody</span>;
  return <>{ids.map((id) => (names ? (names.get(id) ?? "a removed channel") : "…")).join(", ")}</>;
}
