import { describe, expect, it, test } from "vitest";
import type { Report } from "../api/queries";
import { type Bars, othersOf, partAt, spanOf } from "../chart/series";
import { besideUsual, driverOf, excess, groupOf, isChosen, patternsOf, quiet } from "../pages/overview/AnomaliesCard";
import { arrivalAfter } from "../pages/overview/arrival";
import { isUnknown } from "../pages/overview/cards";
import { todayOf, wholeOf } from "../pages/overview/recent";
import { growing } from "../pages/overview/tiles";
import { branchesOf, FEATURES, restOf } from "../pages/overview/tree";

describe("the first request", () => {
  it.each([
    ["is waited for until the page has looked", "unknown", undefined, "unknown"],
    ["is awaited where there is none", "unknown", 0, "awaited"],
    ["is here where it came meanwhile", "awaited", 1, "here"],
    ["is awaited still where it did not", "awaited", 0, "awaited"],
    ["came before where the first look finds it", "unknown", 100, "before"],
    ["stays one from before", "before", 101, "before"],
    ["stays here beside more", "here", 2, "here"],
  ] as const)("%s", (_, arrival, found, after) => expect(arrivalAfter(arrival, found)).toBe(after));
});

describe("today and this week", () => {
  const hour = (start: string, cost: string | null, before: string | null, requests = 1) => ({
    by: [start],
    measures: { cost_usd: cost, requests, attempts: requests, unpriced_requests: cost === null ? requests : 0 },
    compared: { measures: { cost_usd: before, requests: 1 }, change: {}, presence: "both" },
  });
  const report = (...rows: unknown[]) =>
    ({
      rows,
      total: { cost_usd: "1.6", requests: 4, attempts: 5 },
      compared: { total: { measures: {}, change: { cost_usd: { absolute: "0.6", relative: 0.6 } } } },
    }) as unknown as Report;
  const week = report(
    hour("2026-11-21T23:00:00+01:00", "1", "0.5"),
    hour("2026-11-22T00:00:00+01:00", "0.1", "0.25"),
    hour("2026-11-22T01:00:00+01:00", "0.2", "0.25"),
    hour("2026-11-22T02:00:00+01:00", null, null, 2),
  );

  it("has the hours of the date only, to the last digit", () => {
    expect(todayOf(week, "2026-11-22")).toEqual({
      cost: "0.3",
      requests: 4,
      attempts: 4,
      unpriced: 2,
      change: { absolute: "-0.2", relative: -0.4 },
      shape: [0.1, 0.2, 0],
    });
  });

  it("is unknown where no cost is known, and compares with nothing then", () => {
    expect(todayOf(report(hour("2026-11-22T00:00:00+00:00", null, "1")), "2026-11-22")).toMatchObject({
      cost: null,
      change: null,
    });
  });

  it("is unknown beside hours without a request, which cost nothing", () => {
    const idle = hour("2026-11-22T01:00:00+00:00", "0", "0", 0);
    const spent = todayOf(report(hour("2026-11-22T00:00:00+00:00", null, "1"), idle), "2026-11-22");
    expect(spent).toMatchObject({ cost: null, unpriced: 1, change: null });
  });

  it("adds hours up to days", () => {
    expect(wholeOf(week)).toEqual({
      cost: "1.6",
      requests: 4,
      attempts: 5,
      unpriced: 0,
      change: { absolute: "0.6", relative: 0.6 },
      shape: [1, expect.closeTo(0.3)],
    });
  });
});

describe("the tree", () => {
  const row = (by: (string | null)[], cost: string | null, requests: number, unpriced = 0) => ({
    by,
    measures: { cost_usd: cost, requests, unpriced_requests: unpriced },
  });
  const grouping = (rows: unknown[], rest: unknown = null) =>
    ({ rows, rest, total: {}, truncated: rest !== null }) as unknown as Parameters<typeof branchesOf>[0];

  it("has the sums of environments, whatever is left out of them", () => {
    const environments = grouping([row(["production"], "10.1", 12, 1), row([null], null, 2, 2)]);
    const pairs = grouping([
      row(["production", "chat"], "7", 5),
      row([null, "audio"], null, 2, 2),
      row(["production", "search"], "2", 3),
    ]);
    const [production, none] = branchesOf(environments, pairs);
    expect(production).toMatchObject({ name: "production", cost: "10.1", requests: 12, unpriced: 1 });
    expect(production?.rest).toEqual({ cost: "1.1", requests: 4, unpriced: 1 });
    expect(none?.leaves).toEqual([{ name: "audio", cost: null, requests: 2, unpriced: 2 }]);
    expect(none).not.toHaveProperty("rest");
  });

  it("shows some features of each environment, and the others as one", () => {
    const pairs = Array.from({ length: FEATURES + 2 }, (_, index) => row(["production", `f${index}`], "1", 1));
    const [production] = branchesOf(grouping([row(["production"], "8", 8)]), grouping(pairs));
    expect(production?.leaves).toHaveLength(FEATURES);
    expect(production?.rest).toEqual({ cost: "2", requests: 2, unpriced: 0 });
  });

  it("ends with the environments that have no line", () => {
    const rest = { cost_usd: "1.3", requests: 60, unpriced_requests: 1 };
    expect(restOf(grouping([], rest))).toEqual({ cost: "1.3", requests: 60, unpriced: 1 });
    expect(restOf(grouping([]))).toBeUndefined();
  });
});

describe("what moved", () => {
  const period = (cost_usd: number | null, unpriced_requests: number) => ({ cost_usd, requests: 3, unpriced_requests });

  it.each([
    [period(1, 1), period(2, 0), false],
    [period(null, 3), period(2, 0), true],
    [period(0, 0), period(0, 2), true],
    [period(0, 0), period(0, 0), false],
  ])("is unknown where a period is, and no zero", (before, after, unknown) =>
    expect(isUnknown({ before, after })).toBe(unknown),
  );
});

describe("a click on a bar", () => {
  const series = (key: string, ...figures: (string | null)[]) => ({ key, value: key, colour: 1, figures });
  const bars: Bars = {
    starts: ["2026-11-21", "2026-11-22"],
    series: [series("chat", "60", null), series("search", "40", null)],
    totals: ["100", null],
    unknown: [1, 2],
  };

  it("finds the group that stands there, or what is hatched above", () => {
    expect([10, 70].map((height) => (partAt(bars, 0, height) as { key: string }).key)).toEqual(["chat", "search"]);
    expect([101, 103, -1].map((height) => partAt(bars, 0, height))).toEqual(["unknown", undefined, undefined]);
    expect(partAt(bars, 1, 1)).toBe("unknown");
    expect(partAt({ ...bars, unknown: [0, 0] }, 0, 101)).toBeUndefined();
  });

  it("adds up what is dragged over, to the last digit, and what is unknown stays so", () => {
    const days: Bars = {
      starts: ["a", "b", "c"],
      series: [
        { value: "chat", key: "chat", colour: 1, figures: ["0.1", "0.2", "5"] },
        { value: "faq", key: "faq", colour: 2, figures: [null, "7", null] },
        { value: "search", key: "search", colour: 3, figures: [null, null, "1"] },
      ],
      totals: ["0.1", "7.2", "6"],
      unknown: [1, 0, 4],
    };
    const read = (first: number, last: number) => {
      const { parts, total, unknown } = spanOf(days, first, last);
      return [parts.map(({ series, figure }) => `${series.key} ${figure}`), total, unknown];
    };
    expect(read(0, 1)).toEqual([["faq 7", "chat 0.3"], "7.3", 1]);
    expect(read(2, 2)).toEqual([["chat 5", "search 1"], "6", 4]);
    expect(spanOf({ ...days, totals: [null, null, null] }, 0, 2).total).toBeNull();
  });
});

test("a month's line grows to what was spent, beside what is expected at its end", () => {
  expect(growing([2, 0, 3])).toEqual([2, 2, 5]);
});

describe("the groups beside a chart", () => {
  const rows = ["3", "2", "0.5"].map((cost_usd) => ({ by: [cost_usd], measures: { cost_usd, unpriced_requests: 1 } }));
  const total = { cost_usd: "5.6", unpriced_requests: 4 };

  it("and the others add up to the total", () => {
    const rest = (shown: number, truncated = false) => othersOf(rows as never, shown, { truncated }, total, "cost_usd");
    expect(rest(2)).toEqual({ title: "1 other", value: "0.6", unpriced: 2 });
    expect(rest(3, true)).toEqual({ title: "all others", value: "0.1", unpriced: 1 });
    expect(rest(3)).toBeUndefined();
  });
});

describe("what is unusual", () => {
  it("is found by a column, by a property, or in all together", () => {
    expect(groupOf({ group: { user_id: "user-1" } })).toEqual(["user_id", "user-1"]);
    expect(groupOf({ group: { "properties.Feature": null } })).toEqual(["@Feature", null]);
    expect(groupOf({ group: {} })).toBeUndefined();
  });

  it("is said once where all that is shown is of one group", () => {
    const anomaly = { group: { "properties.Feature": "chat" } };
    expect(isChosen([["@Feature", "equals", "chat"]], anomaly)).toBe(true);
    expect(isChosen([["@Feature", "not-equals", "chat"]], anomaly)).toBe(false);
    expect(isChosen([["@Feature", "equals", "chat"]], { group: {} })).toBe(false);
    expect(isChosen(undefined, anomaly)).toBe(false);
  });

  it("is one pattern for all figures of a group since one time", () => {
    const one = (user: string, measure: string, since = "2026-11-19") => ({ group: { user_id: user }, measure, since });
    const found = [
      one("a", "cost_usd"),
      one("b", "cost_usd"),
      one("a", "requests"),
      one("a", "requests", "2026-11-20"),
    ];
    const patterns = patternsOf(found as unknown as Parameters<typeof patternsOf>[0]);
    expect(patterns.map(({ first, others }) => [first.group, others.length])).toEqual([
      [{ user_id: "a" }, 1],
      [{ user_id: "b" }, 0],
      [{ user_id: "a" }, 0],
    ]);
  });

  it("is explained by who is behind most of it, in another dimension", () => {
    const part = (value: string, excess: string) => ({ value, excess, actual: "1", expected: "0" });
    const drivers = [
      { by: "user_id", parts: [part("user-1", "10")], rest: "0" },
      { by: "key_id", parts: [part("d4b58c0e-a4b0-48ab-85c5-517ce1fa5034", "10")], rest: "0" },
      { by: "model", parts: [part("gpt-4o", "4")], rest: "6" },
      { by: "properties.Feature", parts: [part("chat", "8.2")], rest: "1.8" },
    ];
    expect(driverOf({ drivers, excess: "10" }, ["user_id", "user-1"])).toBe("mostly Feature chat (82 %)");
    expect(driverOf({ drivers: drivers.slice(0, 3), excess: "10" }, ["user_id", "user-1"])).toBeNull();
  });

  it("says how far a figure is above the usual one, or below it", () => {
    const cost = { measure: "cost_usd", actual: "34", expected: "10", direction: "rise" as const };
    expect(besideUsual(cost)).toBe("3.4 times the usual cost");
    expect(besideUsual({ ...cost, expected: "0" })).toBe("cost where none is usual");
    expect(besideUsual({ ...cost, actual: "2", direction: "fall" })).toBe("20 % of the usual cost");
    expect(excess({ unit: "USD", excess: "-8" })).toBe("−$8.00");
    expect(excess({ unit: "requests", excess: -1200 })).toBe("−1,200 requests");
    expect(excess({ unit: "requests", excess: 1200 })).toBe("+1,200 requests");
  });

  it("does not call usual what could not be judged", () => {
    const judged = { by: [], groups: 1, judged: 1, too_young: 0, too_small: 0, too_sparse: 0, beyond_limit: 0 };
    const said = (reason: object) => quiet({ coverage: [{ ...judged, ...reason }] });
    expect(said({})).toBe("Nothing unusual in this range.");
    expect(said({ judged: 0, too_sparse: 1 })).toBe("Too few days with requests to tell what is usual.");
    expect(said({ judged: 0, too_young: 1 })).toBe("Too new to tell what is usual: that takes two weeks.");
    expect(said({ judged: 0, too_small: 1 })).toContain("less than $5 and 50 requests");
  });
});
