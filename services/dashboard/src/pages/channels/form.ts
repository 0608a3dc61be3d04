/** A channel as it is typed, as the API takes it. */
import type { Channel } from "../../api/channels";

export type Kind = Channel["kind"];
export type Typed = (name: string) => string;

/** As the server calls what it refuses. */
export const FIELDS = ["name", "recipients", "slack_channel", "url", "token", "routing_key", "signing_key"] as const;

/** Which of its fields are secrets: they go in, and never come out. */
export const SECRETS: readonly string[] = ["url", "token", "routing_key", "signing_key"];

/** Slack has two ways: an incoming webhook, and a bot that posts. */
export function fieldsOf(kind: Kind, isBot: boolean): readonly (typeof FIELDS)[number][] {
  switch (kind) {
    case "email":
      return ["recipients"];
    case "slack":
      return isBot ? ["slack_channel", "token"] : ["url"];
    case "webhook":
      return ["url", "signing_key"];
    case "pagerduty":
      return ["routing_key"];
    case "teams":
      return ["url"];
  }
}

/** What is typed; a secret that is left empty is not sent: a kept one stays. */
export function bodyOf(kind: Kind, isBot: boolean, typed: Typed): Record<string, unknown> {
  const body: Record<string, unknown> = { name: typed("name") };
  for (const field of fieldsOf(kind, isBot)) {
    const text = typed(field);
    if (field === "recipients") body[field] = text.split(/[,;\s]+/).filter(Boolean);
    else if (text) body[field] = text;
  }
  return body;
}
