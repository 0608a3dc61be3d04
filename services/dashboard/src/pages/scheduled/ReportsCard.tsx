/** Reports that are sent by the calendar. An admin key makes, changes, sends and deletes them. */
import { useState } from "react";
import { type ScheduledReport, useChannels, useScheduledReports } from "../../api/channels";
import { absolute, relative } from "../../format/time";
import { type Head, Sheet } from "../../ui/Sheet";
import { Button, Card, Empty, Loaded, Tag } from "../../ui/ui";
import { untilText } from "../budgets/words";
import css from "../channels/channels.module.css";
import { contentText, scheduleText } from "./form";
import { PreviewDialog, RemoveReportDialog, ReportDialog, SendReportDialog } from "./ReportDialogs";

type Open = { what: "new" } | { what: "preview" | "edit" | "send" | "remove"; report: ScheduledReport };

export function ReportsCard({ isAdmin, zone }: { isAdmin: boolean; zone: string }) {
  const reports = useScheduledReports();
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  return (
    <Card
      title="Scheduled reports"
      note={
        <span className={css["tools"]}>
          about the whole days since the one before
          {isAdmin && (
            <Button kind="primary" onClick={() => setOpen({ what: "new" })}>
              Schedule a report
            </Button>
          )}
        </span>
      }
      flush
    >
      <div className={css["inset"]}>
        <Loaded answer={reports} height={96}>
          {({ data }) =>
            data.length ? (
              <ReportsTable reports={data} isAdmin={isAdmin} zone={zone} onOpen={setOpen} />
            ) : (
              <Empty>There are none. What a week has cost can come by mail each Monday.</Empty>
            )
          }
        </Loaded>
      </div>
      {open?.what === "new" && <ReportDialog zone={zone} onClose={close} />}
      {open?.what === "preview" && <PreviewDialog report={open.report} onClose={close} />}
      {open?.what === "edit" && <ReportDialog report={open.report} zone={zone} onClose={close} />}
      {open?.what === "send" && <SendReportDialog report={open.report} onClose={close} />}
      {open?.what === "remove" && <RemoveReportDialog report={open.report} onClose={close} />}
    </Card>
  );
}

interface TableProps {
  reports: readonly ScheduledReport[];
  isAdmin: boolean;
  zone: string;
  onOpen: (open: Open) => void;
}

const HEADS: readonly Head[] = [
  { title: "report" },
  { title: "sent" },
  { title: "last" },
  { title: "what can be done", isHidden: true },
];

function ReportsTable({ reports, isAdmin, zone, onOpen }: TableProps) {
  const channels = useChannels().data?.data ?? [];
  const now = Date.now();
  const nameOf = (id: string) => channels.find((channel) => channel.id === id)?.name ?? "a removed channel";
  return (
    <Sheet label="Scheduled reports" name="reports" className={css["table"]} isStacked heads={HEADS}>
      <tbody>
        {reports.map((report) => (
          <tr key={report.id} data-report={report.name}>
            <td className={css["name"]} title={report.id}>
              <span>{report.name}</span>
              <small>{contentText(report)}</small>
            </td>
            <td className={css["target"]}>
              <span title={report.schedule.time_zone}>
                {scheduleText(report.schedule)} ({report.schedule.time_zone.replaceAll("_", " ")})
              </span>
              <small>
                to {report.channel_ids.map(nameOf).join(", ")}, next{" "}
                <span title={absolute(report.next_at, zone)}>{nextText(report.next_at, now)}</span>
              </small>
            </td>
            <td className={css["last"]}>
              <Last report={report} now={now} zone={zone} />
            </td>
            <td className={css["actions"]}>
              {(isAdmin ? (["preview", "send", "edit", "remove"] as const) : (["preview"] as const)).map((what) => (
                <Button key={what} kind="quiet" onClick={() => onOpen({ what, report })}>
                  {{ preview: "Preview", send: "Send now", edit: "Edit", remove: "Delete" }[what]}
                </Button>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </Sheet>
  );
}

/** One that is due is made within seconds, or waits for the last events of its days. */
function nextText(next: string, now: number): string {
  return Date.parse(next) <= now ? "now" : untilText(next, now);
}

function Last({ report, now, zone }: { report: ScheduledReport; now: number; zone: string }) {
  if (!report.last_at) return <span className={css["soft"]}>none yet</span>;
  return (
    <>
      {report.error ? <Tag kind="bad">not sent</Tag> : <Tag kind="good">sent</Tag>}{" "}
      <span title={absolute(report.last_at, zone)}>{relative(report.last_at, now, zone)}</span>
      {report.error && <small>{report.error}</small>}
    </>
  );
}
