/** What is known of a user: every figure of the user metrics, and what stands against the cost. */
import type { ReactNode } from "react";
import type { Report, ReportRow } from "../../api/queries";
import {
  compactCount,
  count,
  exactMoney,
  type Maybe,
  milliseconds,
  money,
  moneyChange,
  percent,
} from "../../format/format";
import { absolute, relative, shortDay } from "../../format/time";
import { ShareBar } from "../../ui/GroupTable";
import type { LedgerColumn } from "../../ui/Ledger";
import { Cost, LinkButton, Tag } from "../../ui/ui";

const NONE = "–";

type Figures = Record<string, Maybe>;

interface Shown {
  zone: string;
  now: number;
  total: Report["total"];
  isCompared: boolean;
  hasValue: boolean;
  tiersOf: (row: ReportRow) => readonly string[];
  onOpen: (row: ReportRow) => void;
}

export function userOf(row: ReportRow): string | null {
  const [user] = row.by;
  return user === null || user === undefined ? null : String(user);
}

export function columnsOf({
  zone,
  now,
  total,
  isCompared,
  hasValue,
  tiersOf,
  onOpen,
}: Shown): LedgerColumn<ReportRow>[] {
  const figure = (id: string, title: string, width: number, hint?: string): LedgerColumn<ReportRow> => ({
    id,
    title,
    width,
    isFigure: true,
    ...(hint ? { hint } : {}),
    show: ({ measures }) => shownFigure(id, measures, zone, now),
  });
  const columns: (LedgerColumn<ReportRow> | false)[] = [
    {
      id: "user",
      title: "user",
      width: 106,
      show: (row) => <LinkButton onClick={() => onOpen(row)}>{userOf(row) ?? "(no user)"}</LinkButton>,
    },
    {
      id: "tier",
      title: "tier",
      width: 92,
      show: (row) => {
        const [tier, ...others] = tiersOf(row);
        return tier ? (
          <span title={[tier, ...others].join(", ")}>
            <Tag>{tier}</Tag>
            {others.length > 0 && ` +${others.length}`}
          </span>
        ) : (
          NONE
        );
      },
    },
    figure("cost_usd", "cost", 108),
    {
      id: "share",
      title: "share",
      width: 80,
      isFigure: true,
      canSort: false,
      show: ({ measures }) => <ShareBar part={measures["cost_usd"]} of={total["cost_usd"]} />,
    },
    isCompared && {
      id: "change",
      title: "change",
      width: 128,
      isFigure: true,
      hint: "Of the cost, from the period that is compared with",
      show: changeOf,
    },
    figure("requests", "requests", 68),
    figure("average_cost_usd", "avg cost", 72, "Of a request whose cost is known"),
    hasValue && figure("value_usd", "value", 90, "What was earned, as it was given"),
    hasValue && figure("margin_usd", "margin", 90, "Value less the known cost"),
    figure("last_request_at", "last active", 102),
    figure("active_days", "UTC days", 50, "Active days: days in UTC with a request, in this range"),
    figure("total_tokens", "tokens", 72, "Input and output, without what was read from prompt caches"),
    figure("p95_latency_ms", "p95 latency", 62),
    figure("average_latency_ms", "avg latency", 62),
    figure("errors", "errors", 52),
    figure("cache_hit_rate", "cache hits", 54, "Of the requests that allowed a response from the cache"),
    figure("first_request_at", "first active", 84, "In this range"),
  ];
  return columns.filter((column) => column !== false);
}

function changeOf({ compared }: ReportRow): ReactNode {
  if (compared?.presence === "new") return <Tag>new</Tag>;
  const change = compared?.change["cost_usd"];
  if (!change) return NONE;
  return (
    <span title={exactMoney(change.absolute as Maybe)}>{moneyChange(change.absolute as Maybe, change.relative)}</span>
  );
}

const MONEY = new Set(["average_cost_usd", "value_usd", "margin_usd"]);

export function shownFigure(id: string, measures: Figures, zone: string, now: number): ReactNode {
  const value = measures[id];
  const isNothing = Number(measures["requests"] ?? 0) === 0;
  if (id === "cost_usd") return <Cost value={value} unpriced={measures["unpriced_requests"]} />;
  if (value === null || value === undefined)
    return id === "average_cost_usd" && !isNothing ? <Cost value={null} /> : NONE;
  if (MONEY.has(id)) return <span title={exactMoney(value)}>{money(value)}</span>;
  if (id.endsWith("_ms")) return milliseconds(value);
  if (id.endsWith("_at")) {
    const timestamp = String(value);
    return (
      <time dateTime={timestamp} title={`${absolute(timestamp, zone)} (${zone})`}>
        {id === "first_request_at" ? shortDay(timestamp, zone) : relative(timestamp, now, zone)}
      </time>
    );
  }
  if (id === "cache_hit_rate") return percent(value, 0);
  if (id === "total_tokens") return <span title={count(value)}>{compactCount(value)}</span>;
  return count(value);
}
