/** One alert: how it stands, its number against the thresholds, why it is silent, and its notices. */
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { type AlertDetail, mute, useAlert, useAlertChange, useAlertHistory, useNotices } from "../../api/alerts";
import { useSession } from "../../api/queries";
import { count, pluralize } from "../../format/format";
import { absolute, relative, shortly } from "../../format/time";
import { usePublish } from "../../frame/published";
import { useView } from "../../state/view";
import { Refusal } from "../../ui/Dialog";
import { Facts } from "../../ui/Facts";
import { Sheet } from "../../ui/Sheet";
import { Button, Card, Empty, Loaded, Tag } from "../../ui/ui";
import alerts from "../alerts/alerts.module.css";
import { MuteDialog, RemoveDialog } from "../alerts/dialogs";
import { EpisodesTable } from "../alerts/EpisodesTable";
import { ChannelNames, isMuted } from "../alerts/index";
import { roundText, valueText } from "../alerts/metrics";
import { groupText } from "../alerts/past";
import { StateMark } from "../alerts/State";
import { sentenceOf } from "../alerts/sentence";
import { standingOf } from "../alerts/standing";
import css from "./alert.module.css";
import { ExplainCard } from "./ExplainCard";
import { NoticesTable } from "./NoticesTable";
import { useOwnChannels } from "./ownChannels";
import { TimelineCard } from "./TimelineCard";

export default function AlertPage() {
  const { alertId } = useParams({ strict: false }) as { alertId: string };
  const { zone } = useView();
  const answer = useAlert(alertId);
  usePublish({});
  return (
    <>
      <nav className={css["up"]} aria-label="Breadcrumb">
        <Link to="/alerts" search={(old) => old}>
          Alerts
        </Link>
      </nav>
      <Loaded answer={answer} height={480}>
        {(alert) => <Shown alert={alert} zone={zone} />}
      </Loaded>
    </>
  );
}

interface Props {
  alert: AlertDetail;
  zone: string;
}

function Shown({ alert, zone }: Props) {
  const history = useAlertHistory(alert.id);
  const notices = useNotices(alert.id);
  return (
    <>
      <Heading alert={alert} zone={zone} />
      <AlertFacts alert={alert} zone={zone} />
      <TimelineCard alert={alert} zone={zone} />
      <div className={css["pair"]}>
        <ExplainCard alert={alert} zone={zone} />
        <div className={css["stack"]}>
          {alert.by.length > 0 && <GroupsCard alert={alert} zone={zone} />}
          <Card title="When it fired" flush>
            <div className={alerts["inset"]}>
              <Loaded answer={history} height={120}>
                {({ episodes }) =>
                  episodes.length ? (
                    <EpisodesTable episodes={episodes} zone={zone} />
                  ) : (
                    <Empty>It has not fired yet.</Empty>
                  )
                }
              </Loaded>
            </div>
          </Card>
          <Card title="Notices" note="each message, through each channel" flush>
            <div className={alerts["inset"]}>
              <Loaded answer={notices} height={120}>
                {(deliveries) => <NoticesTable alert={alert} deliveries={deliveries} zone={zone} />}
              </Loaded>
            </div>
          </Card>
        </div>
      </div>
    </>
  );
}

function Heading({ alert, zone }: Props) {
  const isAdmin = useSession().data?.permission === "admin";
  const change = useAlertChange();
  const navigate = useNavigate();
  const [open, setOpen] = useState<"mute" | "remove">();
  const close = () => setOpen(undefined);
  const muted = isMuted(alert, Date.now());
  return (
    <header className={css["head"]}>
      <div className={alerts["top"]}>
        <h1>{alert.name}</h1>
        <StateMark state={alert.state} isLarge />
        {muted && <Tag kind="warn">muted until {shortly(alert.muted_until ?? "", zone)}</Tag>}
        {isAdmin && (
          <span className={alerts["tools"]}>
            {muted ? (
              <Button disabled={change.isPending} onClick={() => change.mutate(mute(alert.id, null))}>
                Unmute
              </Button>
            ) : (
              <Button onClick={() => setOpen("mute")}>Mute</Button>
            )}
            <Link
              to="/alerts/$alertId/edit"
              params={{ alertId: alert.id }}
              search={(old) => old}
              className={alerts["plain"] ?? ""}
            >
              Edit
            </Link>
            <Button onClick={() => setOpen("remove")}>Delete</Button>
          </span>
        )}
      </div>
      <p className={css["sentence"]}>{sentenceOf(alert)}</p>
      <Refusal error={change.error} />
      {open === "mute" && <MuteDialog alert={alert} zone={zone} onClose={close} />}
      {open === "remove" && (
        <RemoveDialog
          alert={alert}
          onClose={close}
          onRemoved={() => void navigate({ to: "/alerts", search: (old) => old })}
        />
      )}
    </header>
  );
}

function nowText({ evaluation, unit, state }: AlertDetail): string {
  if (!evaluation) return "–";
  return state === "NO_DATA" && !Number(evaluation.requests) ? "no requests" : valueText(evaluation.value, unit);
}

function AlertFacts({ alert, zone }: Props) {
  const { evaluation, unit, condition } = alert;
  const { value, next, isBeyond } = standingOf(alert);
  const names = useOwnChannels(alert.id);
  const isForecast = condition === "forecast";
  return (
    <Facts
      facts={[
        [isForecast ? "so far" : "now", nowText(alert)],
        isForecast && ["forecast", value === null ? "–" : valueText(value, unit)],
        next !== undefined && [
          isBeyond ? "last threshold" : "next threshold",
          <span key="next" title={next.label || undefined}>
            {roundText(next.value, unit)}
          </span>,
        ],
        ["requests in the window", evaluation ? count(evaluation.requests) : "–"],
        alert.by.length > 0 && ["groups firing", `${count(alert.firing_groups)} of ${count(evaluation?.groups ?? 0)}`],
        [
          "evaluated",
          evaluation ? (
            <span key="at" title={absolute(evaluation.evaluated_at, zone)}>
              {relative(evaluation.evaluated_at, Date.now(), zone)}
            </span>
          ) : (
            "not yet"
          ),
        ],
        [
          "tells",
          <span key="tells" className={css["tells"]}>
            <ChannelNames ids={alert.channel_ids} names={names} />
          </span>,
        ],
      ]}
    />
  );
}

function GroupsCard({ alert, zone }: Props) {
  const { groups, unit } = alert;
  const all = Number(alert.firing_groups);
  return (
    <Card
      title="Groups that fire"
      note={all > groups.length ? `the worst ${groups.length} of ${all}` : pluralize(all, "group")}
      flush
    >
      <div className={alerts["inset"]}>
        {groups.length ? (
          <Sheet
            label="Groups that fire"
            name="groups"
            heads={[
              { title: "group" },
              { title: "state" },
              { title: "number", isFigure: true },
              { title: "requests", isFigure: true },
              { title: "since", className: alerts["optional"] },
            ]}
          >
            <tbody>
              {groups.map((one) => (
                <tr key={JSON.stringify(one.group)} data-group={groupText({ group: one.group })}>
                  <td>{groupText({ group: one.group })}</td>
                  <td>
                    <StateMark state={one.state} />
                  </td>
                  <td className={alerts["figure"]}>{valueText(one.value, unit)}</td>
                  <td className={alerts["figure"]}>{count(one.requests)}</td>
                  <td className={alerts["optional"]}>{one.since ? relative(one.since, Date.now(), zone) : "–"}</td>
                </tr>
              ))}
            </tbody>
          </Sheet>
        ) : (
          <Empty>No group fires.</Empty>
        )}
      </div>
    </Card>
  );
}
