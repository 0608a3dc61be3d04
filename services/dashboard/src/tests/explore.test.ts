import { describe, expect, it, test } from "vitest";
import type { Grouping } from "../api/queries";
import { isMeant } from "../frame/Warnings";
import { changeText, figureText, measureOf } from "../pages/explore/measures";
import { keyIn, pivotOf } from "../pages/explore/pivot";
import { explorationOf, exportQuestion, havingOf, questionOf, timeOf } from "../pages/explore/question";
import { parseSearch } from "../state/search";
import type { ViewState } from "../state/view";

const row = (by: (string | null)[], cost: string | null, unpriced = 0) => ({
  by,
  measures: { cost_usd: cost, p95_latency_ms: 10, unpriced_requests: unpriced },
});
const grouping = (rows: unknown[], total: object, rest: object | null = null) =>
  ({ rows, total, rest, truncated: rest !== null }) as unknown as Grouping;

describe("a pivot", () => {
  const total = { cost_usd: "10.000000000001", p95_latency_ms: 12, unpriced_requests: 3 };
  const pivot = pivotOf(
    "@Feature",
    "model",
    ["cost_usd", "p95_latency_ms"],
    grouping(
      [row(["chat", "a"], "4.1"), row(["chat", "b"], "2"), row(["chat", "c"], "0.5"), row(["faq", "a"], "1")],
      total,
    ),
    grouping([row(["chat"], "6.600000000001"), row(["faq"], "1.4", 2)], total, {
      cost_usd: "2",
      p95_latency_ms: null,
      unpriced_requests: 1,
    }),
    grouping([row(["a"], "6"), row(["b"], "2.5")], total),
  );

  it("has in each line what the columns leave of its total, to the last digit", () => {
    expect(pivot.lines.map(({ value, rest }) => [value, rest["cost_usd"]])).toEqual([
      ["chat", "0.500000000001"],
      ["faq", "0.4"],
    ]);
    expect(pivot.total.rest["cost_usd"]).toBe("1.500000000001");
  });

  it("has in its rest what the lines leave of each column", () => {
    expect(pivot.rest.cells.map((cell) => cell?.["cost_usd"])).toEqual(["0.9", "0.5"]);
    expect(pivot.rest.rest["cost_usd"]).toBe("0.6");
    expect(pivot.rest.total["cost_usd"]).toBe("2");
  });

  it("has no rest of what does not add up", () => {
    expect(pivot.lines[0]?.rest["p95_latency_ms"]).toBeNull();
    expect(pivot.lines[0]?.cells[0]?.["p95_latency_ms"]).toBe(10);
  });

  it("leaves cells empty in which nothing was requested", () => {
    expect(pivot.lines[1]?.cells[1]).toBeUndefined();
  });

  it("knows one bucket of time by two spellings", () => {
    expect(keyIn("time:day", "2026-11-21T00:00:00+01:00")).toBe(keyIn("time:day", "2026-11-20T23:00:00Z"));
    expect(keyIn("model", null)).not.toBe(keyIn("model", ""));
  });
});

describe("what is asked", () => {
  const view = {
    zone: "UTC",
    compare: "previous",
    filter: "all",
    timeFilter: { since: "24h" },
  } as unknown as ViewState;
  const asked = (raw: Record<string, unknown>) => questionOf(view, explorationOf(parseSearch(raw)));

  it("is one report, with rows and columns beside the cells", () => {
    expect(asked({})).toMatchObject({
      by: [{ property: "Feature" }, { column: "model" }],
      measures: ["cost_usd"],
      breakdowns: [{ by: [{ property: "Feature" }], limit: 25 }, { by: [{ column: "model" }] }],
    });
  });

  it("is exported a line for each cell, all of them", () => {
    const exported = exportQuestion(view, explorationOf(parseSearch({ top: 10 })));
    expect(exported).toMatchObject({ by: [{ property: "Feature" }, { column: "model" }], limit: 6000 });
    expect(exported).not.toHaveProperty("breakdowns");
  });

  it("is a flat table of as many groups as are shown", () => {
    const having = [["error_rate", "gt", "0.05"]];
    expect(asked({ view: "table", by: "user_id", across: "none", top: 100, having })).toMatchObject({
      by: [{ column: "user_id" }],
      limit: 100,
      having: { error_rate: { gt: 0.05 } },
      orderBy: { measure: "cost_usd", figure: "value", direction: "desc" },
      compare: "previous",
    });
    expect(asked({ view: "table", by: "user_id", across: "none" })).not.toHaveProperty("breakdowns");
  });

  it("is filled with empty buckets over time, which come in their order", () => {
    const question = asked({ view: "chart", by: "time:15_minutes", across: "@Feature" });
    expect(question.by).toEqual([{ property: "Feature" }, { time: "15_minutes" }]);
    expect(question.breakdowns?.[0]).toMatchObject({ by: [{ time: "15_minutes" }], fill: true });
    expect(question.breakdowns?.[0]).not.toHaveProperty("orderBy");
  });

  it("has no group twice, and time at most once", () => {
    expect(explorationOf({ by: "model", across: "model" })).toMatchObject({ across: undefined, view: "table" });
    expect(explorationOf({ by: "time:day", across: "time:hour" }).across).toBeUndefined();
    expect(explorationOf({ by: "model" }).across).toBe("@Feature");
    expect(timeOf(explorationOf({ by: "model", across: "time:day" }))).toEqual({ time: "time:day", other: "model" });
  });

  it("joins conditions on one measure", () => {
    expect(
      havingOf([
        ["cost_usd", "gte", "1"],
        ["cost_usd", "lt", "10"],
        ["value_usd", "not-equals", null],
      ]),
    ).toEqual({ cost_usd: { gte: 1, lt: 10 }, value_usd: { "not-equals": null } });
  });
});

test.each([
  ["cost_usd", "0.000042", "$0.000042", "+$0.000042"],
  ["cost_usd", null, "unknown", "–"],
  ["error_rate", "0.0125", "1.3 %", "+1.25 pp"],
  ["requests_per_user", "2.345", "2.35", "+2.35"],
  ["return_ratio", "3.156", "3.16 ×", "+3.16 ×"],
  ["p95_latency_ms", "1234.5", "1.23 s", "+1.23 s"],
  ["average_score.quality", "0.5", "0.5", "+0.5"],
])("%s of %s reads %s, and as a change %s", (name, value, text, change) => {
  expect(figureText(measureOf(name), value, "UTC")).toBe(text);
  expect(changeText(measureOf(name), value)).toBe(change);
});

test("a page warns of the names that a person gave it, and not of its own", () => {
  const warning = { code: "unknown_property", name: "usertier", nearest: null, message: "" } as never;
  expect(isMeant({}, warning)).toBe(false);
  expect(isMeant({ by: "@UserTier" }, warning)).toBe(true);
  expect(isMeant({ filter: [["@UserTier", "equals", "free"]] }, warning)).toBe(true);
  expect(isMeant({}, { code: "no_value_given", name: "", nearest: null, message: "" } as never)).toBe(false);
});
