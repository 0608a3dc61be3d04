/** Who is notified, and how often. */
import { Fault, Field, Fields } from "../../ui/Dialog";
import { ChannelPicker } from "../channels/ChannelPicker";
import css from "./form.module.css";
import { Part, type PartProps } from "./parts";

export function Notifications({ draft, set, faults }: PartProps) {
  return (
    <Part title="Who is notified">
      <ChannelPicker chosen={draft.channels} onChange={(channels) => set({ channels })} />
      {faults["channels"] && <Fault>{faults["channels"]}</Fault>}
      <Fields>
        <Field label="E-mail addresses" hint="a channel is made for each that has none" fault={faults["emails"]}>
          <input
            value={draft.emails}
            placeholder="finance@company.com"
            spellCheck={false}
            onChange={(event) => set({ emails: event.target.value })}
          />
        </Field>
        <Field label="Slack channels" hint="by name or id, sent by the bot" fault={faults["slack"]}>
          <input
            value={draft.slack}
            placeholder="#alerts"
            spellCheck={false}
            onChange={(event) => set({ slack: event.target.value })}
          />
        </Field>
        <Field label="Resolved after, minutes" hint="for which nothing is reached" fault={faults["cooldown"]}>
          <input
            inputMode="decimal"
            value={draft.cooldown}
            onChange={(event) => set({ cooldown: event.target.value })}
          />
        </Field>
        <Field label="Remind after, minutes" hint="while it fires; empty: never" fault={faults["renotify"]}>
          <input
            inputMode="decimal"
            value={draft.renotify}
            placeholder="never"
            onChange={(event) => set({ renotify: event.target.value })}
          />
        </Field>
      </Fields>
      <label className={css["check"]}>
        <input type="checkbox" checked={draft.noData} onChange={(event) => set({ noData: event.target.checked })} />
        Notify too when no request fulfils the filter in a whole window
      </label>
      {faults["noData"] && <Fault>{faults["noData"]}</Fault>}
    </Part>
  );
}
