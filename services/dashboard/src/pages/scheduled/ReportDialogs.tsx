/** What a report says, when, and to whom; sending one now, and deleting it. */
import { type FormEvent, useState } from "react";
import {
  addReport,
  type Channel,
  removeReport,
  type ScheduledReport,
  sendReport,
  setReport,
  useChange,
  useReportPreview,
} from "../../api/channels";
import { Actions, Dialog, Field, Fields, FormEnd, Note, Refusal } from "../../ui/Dialog";
import { faultsOf } from "../../ui/faults";
import { Button, Loaded } from "../../ui/ui";
import { ChannelPicker } from "../channels/ChannelPicker";
import css from "../channels/channels.module.css";
import { FIELDS, groupsText, MEASURES, queryOf, reportBody, WEEKDAYS } from "./form";

interface Closing {
  onClose: () => void;
}

const takesReports = ({ kind }: Channel) => (kind === "pagerduty" ? "PagerDuty takes no reports" : undefined);

export function ReportDialog({ report, zone, onClose }: Closing & { report?: ScheduledReport; zone: string }) {
  const saving = useChange<ScheduledReport>();
  const [channelIds, setChannelIds] = useState<readonly string[]>(report?.channel_ids ?? []);
  const query = report && queryOf(report);
  const faults = faultsOf(saving.error, FIELDS);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = reportBody((name) => String(form.get(name) ?? "").trim(), channelIds, query);
    const what = report ? setReport(report.id, body as never) : addReport(body as never);
    saving.mutate(what, { onSuccess: () => onClose() });
  }

  return (
    <Dialog title={report ? `Edit ${report.name}` : "Schedule a report"} onClose={onClose} isWide>
      <form onSubmit={submit}>
        <Fields>
          <Field label="Name" hint="the subject of its mail" fault={faults.of("name")} isWide>
            <input name="name" required maxLength={100} defaultValue={report?.name} placeholder="Weekly costs" />
          </Field>
          <When report={report} zone={zone} fault={faults.of("time_zone")} />
          <What
            measures={query?.measures.join(", ")}
            by={query && groupsText(query.by)}
            measuresFault={faults.of("measures")}
            byFault={faults.of("by")}
          />
          <ChannelPicker legend="To" chosen={channelIds} onChange={setChannelIds} unfit={takesReports} />
          {faults.of("channel_ids") && (
            <div className={css["whole"]}>
              <Refusal error={new Error(faults.of("channel_ids"))} />
            </div>
          )}
        </Fields>
        <FormEnd error={faults.other} isSaving={saving.isPending} onClose={onClose}>
          {report ? "Save" : "Schedule it"}
        </FormEnd>
      </form>
    </Dialog>
  );
}

function When(props: { report: ScheduledReport | undefined; zone: string; fault: string | undefined }) {
  const { every: first = "week", hour = 8, minute = 0, weekday = 1, day = 1, time_zone } = props.report?.schedule ?? {};
  const [every, setEvery] = useState<string>(first);
  const two = (number: number | string) => String(number).padStart(2, "0");
  return (
    <>
      <Field label="Every" isWide={every === "day"}>
        <select name="every" value={every} onChange={(event) => setEvery(event.target.value)}>
          <option value="day">day</option>
          <option value="week">week</option>
          <option value="month">month</option>
        </select>
      </Field>
      {every === "week" && (
        <Field label="On">
          <select name="weekday" defaultValue={String(weekday)}>
            {WEEKDAYS.map((name, index) => (
              <option key={name} value={index + 1}>
                {name}
              </option>
            ))}
          </select>
        </Field>
      )}
      {every === "month" && (
        <Field label="On day" hint="29 to 31: the last one of a shorter month">
          <input name="day" type="number" min={1} max={31} required defaultValue={String(day)} />
        </Field>
      )}
      <Field label="At">
        <input name="at" type="time" required defaultValue={`${two(hour)}:${two(minute)}`} />
      </Field>
      <Field label="Time zone" fault={props.fault}>
        <input name="zone" required maxLength={64} defaultValue={time_zone ?? props.zone} spellCheck={false} />
      </Field>
    </>
  );
}

interface WhatProps {
  measures: string | undefined;
  by: string | undefined;
  measuresFault: string | undefined;
  byFault: string | undefined;
}

function What({ measures, by, measuresFault, byFault }: WhatProps) {
  const [what, setWhat] = useState(measures === undefined ? "summary" : "table");
  return (
    <>
      <Field label="It says" isWide>
        <select name="what" value={what} onChange={(event) => setWhat(event.target.value)}>
          <option value="summary">costs by environment and feature, the dearest users, the cache</option>
          <option value="table">figures of your own choice</option>
        </select>
      </Field>
      {what === "table" && (
        <>
          <Field label="Figures" hint="measures, with commas between them" fault={measuresFault}>
            <input name="measures" required defaultValue={measures ?? MEASURES} spellCheck={false} />
          </Field>
          <Field label="By" hint="properties, columns, or day; empty: in total" fault={byFault}>
            <input name="by" defaultValue={by ?? "Feature"} spellCheck={false} />
          </Field>
        </>
      )}
    </>
  );
}

export function PreviewDialog({ report, onClose }: Closing & { report: ScheduledReport }) {
  const preview = useReportPreview(report);
  return (
    <Dialog title={`${report.name}, if it were sent now`} onClose={onClose} isWide>
      <Note>Nothing is sent. A mail has the tables as CSV files too; other channels say the same.</Note>
      <Loaded answer={preview} height={240}>
        {({ data }) => (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached with the keyboard
          <pre className={css["preview"]} tabIndex={0} data-preview>
            {data.text}
          </pre>
        )}
      </Loaded>
      <Actions>
        <Button onClick={onClose}>Close</Button>
      </Actions>
    </Dialog>
  );
}

export function SendReportDialog({ report, onClose }: Closing & { report: ScheduledReport }) {
  const sending = useChange<unknown>();
  return (
    <Dialog title={`Send ${report.name} now?`} onClose={onClose}>
      <Note>
        It is made within seconds, about the whole days since it was due last, and goes to its channels; then it is sent
        by its schedule again.
      </Note>
      <Refusal error={sending.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          disabled={sending.isPending}
          onClick={() => sending.mutate(sendReport(report.id), { onSuccess: () => onClose() })}
        >
          Send it now
        </Button>
      </Actions>
    </Dialog>
  );
}

export function RemoveReportDialog({ report, onClose }: Closing & { report: ScheduledReport }) {
  const removing = useChange<unknown>();
  return (
    <Dialog title={`Delete ${report.name}?`} onClose={onClose}>
      <Note>It is not sent again. What was sent stays in the log of its channels.</Note>
      <Refusal error={removing.error} />
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          className={css["danger"] ?? ""}
          disabled={removing.isPending}
          onClick={() => removing.mutate(removeReport(report.id), { onSuccess: () => onClose() })}
        >
          Delete report
        </Button>
      </Actions>
    </Dialog>
  );
}
