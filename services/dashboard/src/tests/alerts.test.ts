import { describe, expect, it } from "vitest";
import type { Alert } from "../api/alerts";
import { frameOf, runsOf, spread, thinned } from "../chart/threshold";
import { sentence, withFigures, withTimes } from "../pages/alert/words";
import {
  bodyOf,
  changedOf,
  type Draft,
  draftOf,
  isComplete,
  marksOfDraft,
  newDraft,
  parseDraft,
  withCondition,
  withMetric,
} from "../pages/alert-form/draft";
import { faultsOf } from "../pages/alert-form/faults";
import { roundText, valueText } from "../pages/alerts/metrics";
import { firedText } from "../pages/alerts/past";
import { durationText, sentenceOf } from "../pages/alerts/sentence";
import { standingOf } from "../pages/alerts/standing";
import { chipsOf, filterOf } from "../state/filter";
import type { Chip } from "../state/search";

const DAY_MS = 86_400_000;
const PRODUCTION: Chip = ["@Environment", "equals", "production"];

const ALERT = {
  id: "0b7e5d2a-3c64-4f0e-9a55-0d3c1f1f7d11",
  name: "Budget",
  metric: "cost",
  unit: "usd",
  aggregation: "sum",
  percentile: null,
  condition: "threshold",
  direction: "above",
  time_window: String(7 * DAY_MS),
  calendar: null,
  time_zone: "UTC",
  filter: filterOf([PRODUCTION]),
  by: [],
  thresholds: [
    { value: 250, level: "WARNING", label: "50 % of $500" },
    { value: 500, level: "CRITICAL", label: "100 % of $500" },
  ],
  level: "CRITICAL",
  minimum_request_count: 0,
  channel_ids: ["c1"],
  renotify_s: 3600,
  cooldown_s: 300,
  notify_no_data: false,
  evaluation: null,
} as unknown as Alert;

const alertWith = (changed: object): Alert => ({ ...ALERT, ...changed });

describe("the sentence of an alert", () => {
  it.each([
    [{}, "Cost of Environment = production over 7 days"],
    [
      { filter: "all", calendar: "month", time_zone: "America/New_York" },
      "Cost per calendar month in America/New York",
    ],
    [{ metric: "error_rate", filter: "all", time_window: "3600000" }, "Error rate over 60 minutes"],
    [
      { metric: "latency", aggregation: "percentile", percentile: 95, filter: "all", by: [{ column: "model" }] },
      "P95 latency over 7 days for each model",
    ],
    [{ aggregation: "max", filter: "all" }, "Highest cost of a request over 7 days"],
    [{ condition: "forecast", calendar: "month", filter: "all" }, "Forecast of cost per calendar month in UTC"],
    [
      { condition: "anomaly", filter: "all", by: [{ column: "user_id" }, { property: "Feature" }] },
      "Unusual cost over 7 days for each user and Feature",
    ],
    [{ filter: { type: "and", expressions: [] } }, "Cost of requests by a filter of its own over 7 days"],
  ])("says all of %j", (changed, expected) => {
    expect(sentenceOf(alertWith(changed))).toBe(expected);
  });

  it.each([
    [DAY_MS, "24 hours"],
    [30 * DAY_MS, "30 days"],
    [36 * 3_600_000, "36 hours"],
    [90_000, "90 seconds"],
    [60_000, "60 seconds"],
    [1000, "1 second"],
  ])("counts %d ms as people do", (ms, expected) => {
    expect(durationText(ms)).toBe(expected);
  });
});

describe("a filter as chips", () => {
  it.each<[Chip[]]>([
    [[]],
    [[PRODUCTION]],
    [[PRODUCTION, ["cost_usd", "gt", "0.5"], ["cached", "equals", "true"], ["user_id", "equals", null]]],
    [[["scores.quality", "gte", "3"]]],
  ])("says the same as %j", (chips) => {
    expect(chipsOf(filterOf(chips))).toEqual(chips);
  });

  it("is none where chips cannot say it", () => {
    const leaf = filterOf([PRODUCTION]);
    expect(chipsOf({ left: leaf, operator: "or", right: leaf })).toBeUndefined();
    expect(chipsOf({ type: "and", expressions: [] })).toBeUndefined();
    expect(chipsOf({ request_response_rmt: { latency: { gt: 1, lt: 5 } } })).toBeUndefined();
    expect(chipsOf({ request_response_rmt: { no_such_column: { equals: 5 } } })).toBeUndefined();
    expect(chipsOf({ request_response_rmt: { model: { ilike: "gpt%" } } })).toBeUndefined();
  });

  it("says what the command line writes of properties", () => {
    const leaf = { properties: { Environment: { equals: "production" } } };
    expect(chipsOf(leaf)).toEqual([PRODUCTION]);
    const tier = { properties: { UserTier: { equals: null } } };
    expect(chipsOf({ left: leaf, operator: "and", right: tier })).toEqual([PRODUCTION, ["@UserTier", "equals", null]]);
    expect(chipsOf({ ...leaf, request_response_rmt: { model: { equals: "gpt-4o" } } })).toBeUndefined();
  });

  it("takes a leaf of several columns apart", () => {
    const both = { request_response_rmt: { model: { equals: "gpt-4o" }, properties: { Feature: { equals: "chat" } } } };
    expect(chipsOf(both)).toEqual([
      ["model", "equals", "gpt-4o"],
      ["@Feature", "equals", "chat"],
    ]);
  });
});

describe("a form", () => {
  const draft = (changed: Partial<Draft>): Draft => ({ ...newDraft("UTC"), name: "An alert", ...changed });

  it.each([
    ["steps in percent", {}],
    ["one threshold", { thresholds: [{ value: "0.5", level: "CRITICAL", label: "" }] }],
    ["a share", { metric: "error_rate", unit: "share", thresholds: [{ value: "0.025", level: "WARNING", label: "" }] }],
    [
      "values",
      {
        thresholds: [
          { value: "10.25", level: "WARNING", label: "" },
          { value: 20, level: "CRITICAL", label: "" },
        ],
      },
    ],
    ["a calendar window", { calendar: "week", time_zone: "Europe/Berlin" }],
    ["groups", { by: [{ column: "user_id" }, { property: "Feature" }] }],
    ["what is unusual", { condition: "anomaly", thresholds: [] }],
    ["half a minute", { time_window: "30000" }],
  ])("gives back an alert of %s as it was", (_, changed) => {
    const alert = alertWith(changed);
    const body = bodyOf(draftOf(alert)) as Record<string, unknown>;
    expect(body).toMatchObject({
      name: "Budget",
      metric: alert.metric,
      condition: alert.condition,
      by: alert.by,
      filter: alert.filter,
      channel_ids: ["c1"],
      renotify_s: 3600,
      cooldown_s: 300,
      minimum_request_count: null,
    });
    expect(body["calendar"] ?? null).toBe(alert.calendar);
    if (!alert.calendar) expect(body["time_window"]).toBe(alert.time_window);
  });

  it("has the thresholds that the server names in words", () => {
    expect(bodyOf(draftOf(ALERT))).toMatchObject({
      threshold: "500",
      thresholds: [
        { percent: "50", level: "WARNING" },
        { percent: "100", level: "CRITICAL" },
      ],
    });
    const share = {
      metric: "error_rate",
      unit: "share",
      thresholds: [{ value: "0.025", level: "WARNING", label: "" }],
    };
    expect(bodyOf(draftOf(alertWith(share)))).toMatchObject({ threshold: "2.5", level: "WARNING", direction: "above" });
  });

  it.each(["WARNING", "CRITICAL"] as const)("keeps the level %s of an anomaly, which shows no thresholds", (level) => {
    const body = bodyOf(draftOf(alertWith({ condition: "anomaly", thresholds: [], level })));
    expect(body).toMatchObject({ condition: "anomaly", level });
  });

  it("sends amounts as they were typed, and what is no number too", () => {
    expect(bodyOf(draft({ threshold: " 0.10 " }))).toMatchObject({ threshold: "0.10", time_window: "86400000" });
    expect(bodyOf(draft({ length: "soon", cooldown: "x" }))).toMatchObject({ time_window: "soon", cooldown_s: "x" });
    expect(bodyOf(draft({ emails: "a@b.c, d@e.f\n" }))).toMatchObject({ emails: ["a@b.c", "d@e.f"] });
  });

  it("keeps the minus of a margin", () => {
    const loss = { metric: "margin", unit: "usd", direction: "below" };
    const steps = [
      { value: -50, level: "WARNING", label: "50 % of -$100" },
      { value: -1000, level: "CRITICAL", label: "1,000 % of -$100" },
    ];
    expect(bodyOf(draftOf(alertWith({ ...loss, thresholds: steps })))).toMatchObject({
      threshold: "-100",
      thresholds: [{ percent: "50" }, { percent: "1000" }],
    });
    const ratio = { metric: "margin_ratio", unit: "share", direction: "below" };
    const shares = [{ value: "-0.05", level: "CRITICAL", label: "50 % of -10 %" }];
    expect(bodyOf(draftOf(alertWith({ ...ratio, thresholds: shares })))).toMatchObject({
      threshold: "-10",
      thresholds: [{ percent: "50" }],
    });
  });

  it("keeps a filter as it was written until its chips say something else", () => {
    const kept = { left: "all", operator: "or", right: "all" };
    expect(bodyOf(draft({}), kept)).toMatchObject({ filter: kept });
    const own = { left: "all", operator: "and", right: { properties: { Environment: { equals: "production" } } } };
    const begun = draftOf(alertWith({ filter: own }));
    expect(bodyOf({ ...begun, name: "Renamed" }, own)).toMatchObject({ filter: own });
    expect(bodyOf({ ...begun, chips: [] }, own)).toMatchObject({ filter: "all" });
  });

  it("knows what is too little to be tried", () => {
    expect(isComplete(draft({}))).toBe(false);
    expect(isComplete(draft({ threshold: "5" }))).toBe(true);
    expect(isComplete(draft({ kind: "percents" }))).toBe(false);
    expect(isComplete(draft({ kind: "values", steps: [{ amount: "", level: "" }] }))).toBe(false);
    expect(isComplete(draft({ condition: "anomaly" }))).toBe(true);
  });

  it("goes along with another metric or condition", () => {
    expect(withMetric(draft({}), "latency").aggregation).toBe("avg");
    expect(withMetric(draft({ aggregation: "max" }), "latency").aggregation).toBe("max");
    expect(withCondition(draft({ direction: "below" }), "forecast")).toMatchObject({
      window: "calendar",
      direction: "above",
    });
    expect(withCondition(draft({ window: "calendar" }), "anomaly").window).toBe("rolling");
  });

  it("marks its thresholds as the server will", () => {
    const graduated = marksOfDraft(draft({ kind: "percents", threshold: "500" }));
    expect(graduated.map(({ value, level }) => [value, level])).toEqual([
      [250, "WARNING"],
      [400, "WARNING"],
      [475, "WARNING"],
      [500, "CRITICAL"],
    ]);
    const rate = draft({ metric: "error_rate", threshold: "5" });
    expect(marksOfDraft(rate)).toEqual([{ value: 0.05, level: "CRITICAL", label: "" }]);
    expect(marksOfDraft(draft({ threshold: "" }))).toEqual([]);
  });

  it("survives a URL, and what is not readable there", () => {
    const base = newDraft("UTC");
    const changed = draft({ kind: "values", steps: [{ amount: "3", level: "WARNING" }], chips: [PRODUCTION] });
    const written = JSON.parse(JSON.stringify(changedOf(changed, base)));
    expect(Object.keys(written).sort()).toEqual(["chips", "kind", "name", "steps"]);
    expect(parseDraft(written, base)).toEqual(changed);
    expect(parseDraft({ threshold: 5, chips: [["x"]], by: [3], steps: [null], nothing: 1 }, base)).toEqual({
      ...base,
      steps: [],
    });
    expect(changedOf(base, base)).toBeUndefined();
  });
});

describe("a refusal", () => {
  it.each([
    ["threshold: give a threshold", { threshold: "give a threshold" }],
    ["thresholds.1.value: it is above zero, not 0", { "steps.1": "it is above zero, not 0" }],
    ["thresholds: two of them are the same", { steps: "two of them are the same" }],
    ["time_window: give either; or not", { window: "give either; or not" }],
    ["'finance' is not a mail address", { emails: "'finance' is not a mail address" }],
    ["unknown time_zone 'Mars'", { zone: "unknown time_zone 'Mars'" }],
    [
      "renotify_s: Input should be a valid integer; name: String should have at least 1 character",
      { renotify: "Input should be a valid integer", name: "String should have at least 1 character" },
    ],
    ["since: there is too much to try the rule on", { form: "since: there is too much to try the rule on" }],
    ["the store is unavailable", { form: "the store is unavailable" }],
  ])("stands beside the field that it names: %s", (message, expected) => {
    expect(faultsOf(new Error(message))).toEqual(expected);
  });

  it("is none where nothing was refused", () => {
    expect(faultsOf(null)).toEqual({});
  });
});

describe("how an alert stands", () => {
  const at = (value: unknown, changed: object = {}) =>
    standingOf(alertWith({ evaluation: { value, compared: value }, ...changed }));

  it("is compared with the next threshold, or with the last where all are reached", () => {
    expect(at("249.99").next?.value).toBe(250);
    expect(at(250)).toMatchObject({ isBeyond: false, next: { value: 500 } });
    expect(at(700)).toMatchObject({ isBeyond: true, next: { value: 500 }, value: 700 });
    expect(at(700, { direction: "below" })).toMatchObject({ isBeyond: false, next: { value: 250 } });
  });

  it("is unknown, and not zero, without a number", () => {
    expect(at(null)).toMatchObject({ value: null, isBeyond: false });
  });

  it("is read in the unit of its metric", () => {
    expect([valueText("0.025", "share"), valueText(800, "ms"), valueText(null, "usd")]).toEqual([
      "2.5 %",
      "800 ms",
      "unknown",
    ]);
    expect([roundText(250, "usd"), roundText("250.5", "usd"), roundText(2000, "ms")]).toEqual([
      "$250",
      "$250.50",
      "2 s",
    ]);
  });
});

describe("a back-test", () => {
  it.each([
    [0, "would not have fired in the last 30 days"],
    [1, "would have fired once in the last 30 days"],
    [3, "would have fired 3 times in the last 30 days"],
  ])("says how often, as %d", (fired, expected) => {
    expect(firedText({ fired }, 30)).toBe(expected);
  });
});

describe("a chart against thresholds", () => {
  it("holds all figures, and zero", () => {
    expect(frameOf(0, 10, [3, null, 180])).toMatchObject({ bottom: 0, top: 200 });
    expect(frameOf(0, 10, [-30, 5])).toMatchObject({ bottom: -50, top: 5 });
  });

  it("breaks where a value is unknown", () => {
    const points = [1, null, 2, 3].map((value, at) => ({ at, value }));
    const runs = runsOf(points, frameOf(0, 3, [4]));
    expect(runs.map((run) => run.length)).toEqual([1, 2]);
  });

  it("keeps the furthest of what it leaves out", () => {
    const points = [1, 9, null, 2, 3, 3].map((value, at) => ({ at, value }));
    expect(thinned(points, 2).map(({ value }) => value)).toEqual([9, 3]);
    expect(thinned(points, 2, true).map(({ value }) => value)).toEqual([1, 2]);
    expect(thinned(points, 10)).toEqual(points);
  });

  it("spreads labels so that none covers another, and none leaves the plot", () => {
    expect(spread([10, 12, 100], 15, 220)).toEqual([10, 25, 100]);
    expect(spread([220, 215], 15, 220)).toEqual([220, 205]);
  });
});

it("reads the server's answers as sentences in the zone of the page", () => {
  expect(withTimes("muted until 2026-11-22T14:05:00Z", "Europe/Berlin")).toBe("muted until 22 Nov 2026, 15:05");
  expect(withFigures("$1,467.74245588 of $500, 2.2364217 % or 0.5")).toBe("$1,467.74 of $500, 2.24 % or 0.5");
  expect(sentence("it has no channel: nobody is notified")).toBe("It has no channel: nobody is notified.");
});
