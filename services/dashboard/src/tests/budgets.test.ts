import { describe, expect, it } from "vitest";
import { lineOf } from "../chart/line";
import { bucketOf, chipsOf, forecastText, growthOf, spendQuestion } from "../pages/budget/spend";
import { changeBody, createBody, FIELDS, percentsOf, secondsOf, type Typed, typedOf } from "../pages/budgets/form";
import {
  actionSentence,
  actionText,
  conditionText,
  durationText,
  forWhom,
  levelOf,
  nearest,
  subjectsText,
  untilText,
  windowText,
} from "../pages/budgets/words";
import { bodyOf, fieldsOf } from "../pages/channels/form";
import { isTried, keptText, outcomeOf, removedOf, targetText } from "../pages/channels/words";
import { contentText, groupsText, reportBody, scheduleText } from "../pages/scheduled/form";
import { faultsOf } from "../ui/faults";

const BUDGET = {
  id: "1",
  name: "free tier",
  limit_usd: "25.000000001",
  segment: "user",
  property: "",
  value: "",
  where: { usertier: "free" },
  period: "month",
  window_s: 0,
  time_zone: "Europe/Berlin",
  action: "block",
  fallback_model: "",
  mode: "enforced",
  unknown_cost: "pass",
  thresholds: [80, 100],
  channel_ids: ["c"],
  override: null,
  created_at: "",
  changed_at: "",
} as const;

function typing(fields: Record<string, string>): Typed {
  return (name) => fields[name] ?? "";
}

describe("a budget in words", () => {
  it.each([
    [{ segment: "organization" }, "the organization"],
    [{}, "each user"],
    [{ value: "ann" }, "user ann"],
    [{ segment: "property", property: "feature" }, "each feature"],
    [{ segment: "property", property: "feature", value: "chat" }, "feature chat"],
  ] as const)("says for whom %j is", (more, text) => {
    expect(forWhom({ ...BUDGET, ...more } as never)).toBe(text);
  });
  it("says its conditions and its window", () => {
    expect(conditionText(BUDGET)).toBe("usertier = free");
    expect(windowText(BUDGET)).toBe("each month, Europe/Berlin");
    expect(windowText({ ...BUDGET, period: "rolling", window_s: 2_419_200 })).toBe("any 28 days");
    expect([60, 5_400, 86_400, 61].map(durationText)).toEqual(["1 minute", "90 minutes", "1 day", "61 seconds"]);
  });
  it("says what becomes of a request without room, and that shadow does nothing", () => {
    expect(actionText({ action: "fallback", fallback_model: "gpt-4o-mini" })).toBe("fall back to gpt-4o-mini");
    expect(actionSentence(BUDGET)).toBe("A request without room is refused with 429.");
    expect(actionSentence({ ...BUDGET, mode: "shadow" })).toBe(
      "A request without room would be refused with 429. In shadow that is recorded, and not done.",
    );
  });
  it("says how soon it resets", () => {
    const at = (ms: number) => untilText(new Date(ms).toISOString(), 0);
    expect([30_000, 600_000, 90_000_000, 800_000_000].map(at)).toEqual([
      "in 30 s",
      "in 10 min",
      "in 25 h",
      "in 9 days",
    ]);
  });
  it("says how many of all values are over their limit, or of those that were looked at", () => {
    const said = ([counters, used_up]: [number, number]) => subjectsText({ counters, used_up });
    const spends: [number, number][] = [
      [100, 0],
      [101, 0],
      [100, 2],
      [101, 2],
    ];
    expect(spends.map(said)).toEqual([
      "the highest of 100",
      "the highest of 101",
      "2 of 100 over the limit",
      "2 of the 100 that spent most over the limit",
    ]);
  });
  it("names what is near a limit and over it", () => {
    expect([0.79, 0.8, 0.9999, 1].map(levelOf)).toEqual(["room", "near", "near", "over"]);
    const left = (remaining_usd: string) => ({ remaining_usd }) as never;
    expect(nearest([left("5"), left("-1"), left("0.5")]).map((one) => one.remaining_usd)).toEqual(["-1", "0.5", "5"]);
  });
});

describe("the form of a budget", () => {
  const rest = { action: "fallback", model: "gpt-4o-mini", shadow: "on", thresholds: "100; 80 %" };
  it("sends all that was typed, amounts with every digit", () => {
    const fields = { name: "x", limit: "$0.10", segment: "user", where: "UserTier=free", period: "month", zone: "UTC" };
    expect(createBody(typing({ ...fields, property: "left over", ...rest }), ["c"])).toEqual({
      name: "x",
      limit_usd: "0.10",
      segment: "user",
      property: "",
      value: "",
      where: { UserTier: "free" },
      period: "month",
      window_s: 0,
      time_zone: "UTC",
      action: "fallback",
      fallback_model: "gpt-4o-mini",
      mode: "shadow",
      unknown_cost: "pass",
      thresholds: [100, 80],
      channel_ids: ["c"],
    });
  });
  it("sends a length in seconds, and no value of a whole organization", () => {
    const fields = { segment: "organization", value: "left over", period: "rolling", window: "1.5", unit: "hours" };
    expect(createBody(typing(fields), [])).toMatchObject({ window_s: 5_400, time_zone: "UTC", value: "" });
    expect(secondsOf("", "days")).toBe(0);
  });
  it("takes the cheaper model away with its action, and begins with what is", () => {
    expect(changeBody(typing({ action: "block", model: "left over" }), []).fallback_model).toBe("");
    expect(typedOf(BUDGET as never, "UTC")).toMatchObject({
      limit: "25.000000001",
      thresholds: "80, 100",
      channels: ["c"],
    });
  });
  it("leaves what is no percent for the server to name", () => {
    expect(percentsOf("50 80%,x")).toEqual([50, 80, "x"]);
  });
  it.each([
    ["limit_usd must be above 0, whole in nanodollars", "limit_usd"],
    ["time_zone 'Mars' is no IANA name, such as Europe/Berlin", "time_zone"],
    ["there is a budget with the name 'free tier'", "name"],
    ["property, a name, is given exactly where segment is property", "property"],
  ] as const)("puts %j beside its field", (message, field) => {
    const faults = faultsOf(new Error(message), FIELDS);
    expect([faults.of(field), faults.other]).toEqual([message, null]);
  });
  it("puts what belongs to no field below the form", () => {
    expect(faultsOf(new Error("the server is busy"), FIELDS).other?.message).toBe("the server is busy");
  });
});

describe("the spend of a window", () => {
  const row = (day: number, cost: string | null) =>
    ({ by: [`2026-11-0${day}T00:00:00Z`], measures: { cost_usd: cost } }) as never;
  const now = Date.parse("2026-11-03T12:00:00Z");
  it("is added up to the last digit, and has no figures for what is yet to come", () => {
    const growth = growthOf([row(1, "0.1"), row(2, null), row(3, "0.2"), row(4, "0"), row(5, "0")], now);
    expect(growth.sums).toEqual(["0.1", "0.1", "0.3", null, null]);
  });
  it.each([
    ["month", undefined, "Added up by the ledger."],
    ["month", null, "there is no forecast yet"],
    ["year", null, "of a year there is no forecast"],
    ["rolling", null, "what is older leaves it"],
    ["month", { spent_usd: "24", reaches_limit_by: null }, "comes to $24.00, within the limit."],
    ["month", { spent_usd: "26", reaches_limit_by: null }, "comes to $26.00, over the limit."],
    [
      "month",
      { spent_usd: "26", reaches_limit_by: "2026-11-20T00:00:00Z" },
      "comes to $26.00, and reaches the limit by 20 Nov 2026, 01:00:00.",
    ],
  ] as const)("is heading where the server foresees it: each %s, %j", (period, forecast, text) => {
    expect(forecastText(period, forecast, { limit_usd: "25" } as never, "Europe/Berlin")).toContain(text);
  });
  it("asks for the requests that count, from the start of the window to its end", () => {
    expect(chipsOf(BUDGET, "ann")).toEqual([
      ["@usertier", "equals", "free"],
      ["user_id", "equals", "ann"],
    ]);
    const counter = { value: "ann", starts_at: "2026-11-01T00:00:00Z", resets_at: "2026-12-01T00:00:00Z" };
    expect(spendQuestion(BUDGET as never, counter as never, now)).toMatchObject({
      by: [{ time: "day" }],
      timeZone: "Europe/Berlin",
      timeFilter: { start: "2026-11-01T00:00:00Z", end: "2026-12-01T00:00:00Z" },
    });
    const hour = 3_600_000;
    expect([hour, 12 * hour, 24 * hour, 91 * 24 * hour, 366 * 24 * hour].map(bucketOf)).toEqual([
      "minute",
      "15_minutes",
      "hour",
      "day",
      "week",
    ]);
  });
  it("has its limit on the chart, however little was spent", () => {
    expect([lineOf([1], 25).top, lineOf([30], 25).top]).toEqual([25, 50]);
  });
});

describe("a channel", () => {
  const shown = { recipients: [], slack_channel: "", server: "" };
  it.each([
    [{ kind: "email", recipients: ["a@b.com", "c@d.com"] }, "mail to a@b.com and 1 more"],
    [{ kind: "slack", slack_channel: "#alerts" }, "Slack, as a bot in #alerts"],
    [{ kind: "webhook", server: "https://x.example.com" }, "signed webhook at https://x.example.com/…"],
    [{ kind: "pagerduty" }, "PagerDuty"],
  ] as const)("leads where %j says", (more, text) => {
    expect(targetText({ ...shown, ...more } as never)).toBe(text);
  });
  it("says which secrets are kept, and sends none that was not typed", () => {
    expect([keptText(["url", "signing_key"]), keptText([])]).toEqual(["URL and signing key kept", ""]);
    expect(fieldsOf("slack", true)).toEqual(["slack_channel", "token"]);
    expect(bodyOf("slack", true, typing({ name: "x", slack_channel: "#a" }))).toEqual({
      name: "x",
      slack_channel: "#a",
    });
    expect(bodyOf("email", false, typing({ recipients: "a@b.com,\nc@d.com" }))).toEqual({
      name: "",
      recipients: ["a@b.com", "c@d.com"],
    });
  });
  it("stays seen where it was chosen and is no more", () => {
    expect(removedOf(["gone", "a"], [{ id: "a" }, { id: "b" }])).toEqual(["gone"]);
  });
  it("says what became of a notice", () => {
    const attempt = { outcome: "retrying", status: 503, error: "busy" };
    const waiting = { state: "waiting", attempts: [attempt, attempt] } as never;
    expect(outcomeOf(waiting)).toEqual({
      title: "retrying",
      kind: "warn",
      detail: "status 503, busy, after 2 attempts",
    });
    expect([isTried(waiting), isTried({ state: "waiting", attempts: [] })]).toEqual([true, false]);
  });
});

describe("a scheduled report", () => {
  const fields = { name: "w", every: "week", at: "07:05", weekday: "5", zone: "UTC", measures: "cost_usd, requests" };
  it("is sent as typed, and keeps the filter that the form does not show", () => {
    const before = { measures: ["errors"], by: [], filter: { a: 1 } };
    const body = reportBody(typing({ ...fields, what: "table", by: "Feature, model, day" }), ["c"], before);
    expect(body.schedule).toEqual({ every: "week", hour: 7, minute: 5, weekday: 5, day: 1, time_zone: "UTC" });
    expect(body.query).toEqual({
      measures: ["cost_usd", "requests"],
      by: [{ property: "Feature" }, { column: "model" }, { time: "day" }],
      filter: { a: 1 },
    });
    expect(contentText({ query: body.query as never })).toBe("cost, requests by Feature and model and day, filtered");
    expect(reportBody(typing({ ...fields, what: "summary" }), []).query).toBeNull();
  });
  it.each([
    [{ property: "Model" }, "@Model"],
    [{ property: "key" }, "@key"],
    [{ property: "Day" }, "@Day"],
    [{ time: "15_minutes" }, "15_minutes"],
    [{ column: "user_id" }, "user"],
    [{ column: "one_of_later" }, "one_of_later"],
    [{ property: "a, b" }, "a, b"],
  ] as const)("writes %j so that it stays what it is", (group, text) => {
    const before = { measures: ["cost_usd"], by: [group] };
    const by = (typed: string) => reportBody(typing({ ...fields, what: "table", by: typed }), [], before).query?.by;
    expect(groupsText(before.by)).toBe(text);
    expect(by(text)).toEqual([group]);
    if (!text.includes(",")) expect(by(`${text}, Feature`)).toEqual([group, { property: "Feature" }]);
  });
  it("says when", () => {
    const at = { hour: 8, minute: 0, weekday: 1, day: 31, time_zone: "UTC" };
    expect(scheduleText({ every: "week", ...at })).toBe("every Monday at 08:00");
    expect(scheduleText({ every: "month", ...at })).toBe("on day 31 of every month at 08:00");
  });
});
