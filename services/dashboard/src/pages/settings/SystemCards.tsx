/** How complete figures are, what runs, and what is kept of a call. */
import type { ReactNode } from "react";
import type { Seal } from "../../api/client";
import { type System, useSystem } from "../../api/keys";
import { count } from "../../format/format";
import { absolute } from "../../format/time";
import { Card, Loaded, Tag } from "../../ui/ui";
import css from "./settings.module.css";

export function SystemCards({ zone }: { zone: string }) {
  const system = useSystem();
  return (
    <div className={css["pair"]}>
      <Card title="System">
        <Loaded answer={system} height={196}>
          {({ data, seal }) => <Facts facts={runs(data, seal, zone)} />}
        </Loaded>
      </Card>
      <Card title="What is kept" note="set where Farebox starts">
        <Loaded answer={system} height={196}>
          {({ data }) => <Facts facts={kept(data)} />}
        </Loaded>
      </Card>
    </div>
  );
}

type Fact = readonly [name: string, value: ReactNode, why?: string];

function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className={css["facts"]}>
      {facts.map(([name, value, why]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {value}
            {why && <small>{why}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function runs(system: System, seal: Seal, zone: string): Fact[] {
  const isComplete = seal.state === "complete";
  const dead = Number(seal.dead_lettered_events ?? 0);
  const waiting = seal.events_waiting === null ? "unknown" : `${count(seal.events_waiting)} events`;
  const isWell = !system.warnings.length;
  return [
    [
      "State",
      <Tag key="state" kind={isWell ? "good" : "warn"}>
        {isWell ? "all is well" : "look at this"}
      </Tag>,
      system.warnings.join("; "),
    ],
    [
      "Figures",
      <Tag key="seal" kind={isComplete ? "good" : "warn"}>
        {isComplete ? "complete" : seal.state}
      </Tag>,
      seal.reason || (seal.complete_until ? `until ${absolute(seal.complete_until, zone)}` : ""),
    ],
    ["Waiting in the log", waiting],
    [
      "Dead letters",
      seal.dead_lettered_events === null ? "unknown" : `${count(dead)} events`,
      dead ? "in no total: `farebox dead-letters` shows why" : "",
    ],
    ["Version", `Farebox ${system.version}`],
    ["Prices", system.pricing_release],
  ];
}

const OMITTED: Record<System["omit_bodies"], string> = {
  none: "requests and responses",
  request: "responses only",
  response: "requests only",
  both: "none",
};

function kept(system: System): Fact[] {
  const mebibytes = Number(system.capture_bytes) / 2 ** 20;
  return [
    ["Bodies", OMITTED[system.omit_bodies], "FAREBOX_OMIT_BODIES"],
    ["Of each body", `${Number(mebibytes.toFixed(2))} MiB`, "FAREBOX_CAPTURE_BYTES"],
    ["Bodies are deleted", `after ${count(system.bodies_kept_days)} days`],
    ["Figures and tags", "for ever"],
    [
      "Without a required tag",
      system.missing_tags === "refuse" ? "requests are refused" : "recorded as unattributed",
      "FAREBOX_MISSING_TAGS",
    ],
  ];
}
