/** Channels and what was sent through them, in words. */
import type { Channel, Delivery } from "../../api/channels";
import { pluralize } from "../../format/format";

export const KINDS: Record<Channel["kind"], string> = {
  email: "mail",
  slack: "Slack",
  webhook: "signed webhook",
  pagerduty: "PagerDuty",
  teams: "Microsoft Teams",
};

type Shown = Pick<Channel, "kind" | "recipients" | "slack_channel" | "server">;

/** Where it leads, without what is secret: "mail to finance@company.com", "signed webhook at https://hooks.example.com/…". */
export function targetText({ kind, recipients, slack_channel, server }: Shown): string {
  if (recipients.length) {
    const more = recipients.length - 1;
    return `${KINDS[kind]} to ${recipients[0]}${more ? ` and ${more} more` : ""}`;
  }
  if (slack_channel) return `${KINDS[kind]}, as a bot in ${slack_channel}`;
  return server ? `${KINDS[kind]} at ${server}/…` : KINDS[kind];
}

/** The ids of those that were chosen and are no more. */
export function removedOf(chosen: readonly string[], channels: readonly Pick<Channel, "id">[]): string[] {
  return chosen.filter((chosenId) => !channels.some(({ id }) => id === chosenId));
}

const SECRETS: Record<string, string> = {
  url: "URL",
  token: "bot token",
  routing_key: "integration key",
  signing_key: "signing key",
};

/** "URL and signing key kept"; empty where it has no secret. */
export function keptText(names: readonly string[]): string {
  return names.length ? `${names.map((name) => SECRETS[name] ?? name).join(" and ")} kept` : "";
}

export interface Outcome {
  title: string;
  kind?: "good" | "bad" | "warn";
  /** What the receiver said, or why nothing came of it. */
  detail: string;
}

/** What became of one notice: its last attempt, and whether another one follows. */
export function outcomeOf({ state, attempts }: Pick<Delivery, "state" | "attempts">): Outcome {
  const last = attempts.at(-1);
  const tries = attempts.length > 1 ? `after ${pluralize(attempts.length, "attempt")}` : "";
  const said = [last?.status ? `status ${last.status}` : "", last?.error, tries].filter(Boolean).join(", ");
  switch (state) {
    case "delivered":
      return { title: "delivered", kind: "good", detail: said };
    case "failed":
      return { title: "failed", kind: "bad", detail: said };
    case "cancelled":
      return { title: "cancelled", detail: said };
    default:
      if (last?.outcome === "retrying") return { title: "retrying", kind: "warn", detail: said };
      return { title: "on its way", detail: said };
  }
}

/** Whether an attempt has ended, so that there is something to say of a test. */
export function isTried({ state, attempts }: Pick<Delivery, "state" | "attempts">): boolean {
  return state !== "waiting" || attempts.some(({ outcome }) => outcome !== "started");
}
