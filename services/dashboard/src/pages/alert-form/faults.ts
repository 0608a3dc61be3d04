/** What the server refuses, beside the field that it names: "thresholds.1.value: it is above zero". */

const FIELDS: Readonly<Record<string, string>> = {
  name: "name",
  metric: "metric",
  aggregation: "aggregation",
  percentile: "percentile",
  condition: "condition",
  direction: "direction",
  threshold: "threshold",
  thresholds: "steps",
  level: "level",
  time_window: "window",
  calendar: "window",
  time_zone: "zone",
  filter: "filter",
  by: "by",
  grouping: "by",
  minimum_request_count: "minimum",
  channel_ids: "channels",
  emails: "emails",
  slack_channels: "slack",
  renotify_s: "renotify",
  cooldown_s: "cooldown",
  notify_no_data: "noData",
};

/** Sentences that name what was typed, and no field. */
const VALUES = [
  [/^unknown time_zone/, "zone"],
  [/ is not a mail address$/, "emails"],
  [/ is not a channel of Slack/, "slack"],
] as const;

/** Sentences by the names of the form's fields; `form` has what names none of them. */
export type Faults = Readonly<Record<string, string>>;

export function faultsOf(error: Error | null): Faults {
  if (!error) return {};
  const faults: Record<string, string> = {};
  for (const text of error.message.split(/; (?=[a-z_]+(?:\.\w+)*: )/)) {
    const [place, sentence] = placed(text);
    faults[place] = faults[place] ? `${faults[place]}; ${sentence}` : sentence;
  }
  return faults;
}

function placed(text: string): [place: string, sentence: string] {
  const named = VALUES.find(([pattern]) => pattern.test(text));
  if (named) return [named[1], text];
  const found = /^([a-z_]+)((?:\.\w+)*): (.*)$/s.exec(text);
  const field = FIELDS[found?.[1] ?? ""];
  if (!found || !field) return ["form", text];
  const step = /^\.(\d+)/.exec(found[2] ?? "")?.[1];
  return [field === "steps" && step ? `steps.${step}` : field, found[3] ?? ""];
}
