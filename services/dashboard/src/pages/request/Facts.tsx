/** Whose request it was, what it used, and how it is tagged. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { OneRequest } from "../../api/requests";
import { count, type Maybe } from "../../format/format";
import { CopyButton } from "../../ui/CopyButton";
import { Card, Tag } from "../../ui/ui";
import css from "./request.module.css";

type Fact = [name: string, value: ReactNode];

const some = (value: Maybe) => (Number(value ?? 0) ? count(value) : null);

function usageOf(row: OneRequest): Fact[] {
  return [
    ["input tokens", count(row.prompt_tokens)],
    ["read from prompt cache", some(row.prompt_cache_read_tokens)],
    ["written to prompt cache", some(row.prompt_cache_write_tokens)],
    ["output tokens", count(row.completion_tokens)],
    ["reasoning tokens", some(row.reasoning_tokens)],
    ["web searches", some(row.web_searches)],
    ["usage from", row.usage_source === "provider" ? null : row.usage_source],
  ];
}

function originOf(row: OneRequest): Fact[] {
  const path = row.request_properties["Helicone-Session-Path"];
  const session = row.request_properties["Helicone-Session-Id"];
  return [
    ["provider", row.provider],
    ["requested model", row.request_model],
    ["billed model", row.model === row.request_model ? null : row.model],
    ["service tier", row.service_tier],
    [
      "user",
      row.request_user_id && (
        <Link to={`/users/${encodeURIComponent(row.request_user_id)}` as string}>{row.request_user_id}</Link>
      ),
    ],
    [
      "session",
      session && (
        <Link to={`/sessions/${encodeURIComponent(session)}` as string}>
          {row.request_properties["Helicone-Session-Name"] ?? session}
        </Link>
      ),
    ],
    ["session path", path],
    ["prompt", row.prompt_id],
    ["key", row.key_id],
    ["provider's project", row.provider_project],
    ["provider's request id", row.provider_request_id],
    ["finished", row.outcome.replaceAll("_", " ")],
    ["logged afterwards", row.is_logged ? "yes, it did not pass the proxy" : null],
  ];
}

const SHOWN_ABOVE = new Set([
  "Helicone-Session-Id",
  "Helicone-Session-Name",
  "Helicone-Session-Path",
  "Helicone-Prompt-Id",
]);

/** Whose request it was, and of what. */
export function Origin({ row }: { row: OneRequest }) {
  return (
    <Card title="Request">
      <List facts={originOf(row)} />
      <div className={css["tools"]}>
        <CopyButton text={() => row.request_id}>Copy id</CopyButton>
      </div>
    </Card>
  );
}

export function Usage({ row }: { row: OneRequest }) {
  return (
    <Card title="Usage">
      <List facts={usageOf(row)} />
    </Card>
  );
}

export function Properties({ row }: { row: OneRequest }) {
  const properties = Object.entries(row.request_properties).filter(([name]) => !SHOWN_ABOVE.has(name));
  if (!properties.length) return null;
  return (
    <Card title="Properties">
      <div className={css["chips"]}>
        {properties.map(([name, value]) => (
          <Link
            key={name}
            to="/requests"
            search={(old) => ({ ...old, filter: [[`@${name}`, "equals", value]] as const })}
            title={`All requests with ${name} = ${value}`}
          >
            <Tag>
              <span className={css["soft"]}>{name}</span> {value}
            </Tag>
          </Link>
        ))}
      </div>
    </Card>
  );
}

function List({ facts }: { facts: Fact[] }) {
  return (
    <dl className={css["facts"]}>
      {facts.flatMap(([name, value]) =>
        value ? [<dt key={name}>{name}</dt>, <dd key={`${name}-value`}>{value}</dd>] : [],
      )}
    </dl>
  );
}
