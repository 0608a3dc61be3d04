import { describe, expect, it, test } from "vitest";
import type { RequestRow } from "../api/requests";
import { lineOf, topOf } from "../chart/line";
import { sum } from "../format/decimal";
import { rankText } from "../pages/session/rank";
import { duration, linesOf, scaleOf } from "../pages/session/waterfall";
import { columnsOf, placeOf as placeOfAmount } from "../pages/sessions/histogram";
import { parseOver, usersQuestion } from "../pages/users/questions";
import { tiersByUser } from "../pages/users/tiers";
import { above, chipsAt, crumbsOf, placeOf } from "../state/drill";
import type { Chip } from "../state/search";
import { nextSorting, parseSorting, sorted, sortingText } from "../state/sorting";
import type { ViewState } from "../state/view";

const CHAT: Chip = ["@Feature", "equals", "chat"];
const USER: Chip = ["user_id", "equals", "user-1"];
const SESSION: Chip = ["session_id", "equals", "s/1"];

describe("the way down and up", () => {
  it("leads to the pages of users and sessions, and of nobody else", () => {
    expect(placeOf(USER)).toEqual({ to: "/users/$userId", params: { userId: "user-1" } });
    expect(placeOf(SESSION)).toEqual({ to: "/sessions/$sessionId", params: { sessionId: "s/1" } });
    expect(
      [CHAT, ["user_id", "equals", null], ["user_id", "contains", "u"]].map((chip) => placeOf(chip as Chip)),
    ).toEqual([undefined, undefined, undefined]);
  });

  it("has a step for each chip, which keeps those before it", () => {
    expect(
      crumbsOf([CHAT, USER, SESSION]).map(({ text, place, chips, by }) => [text, place.to, chips.length, by]),
    ).toEqual([
      ["All spend", "/", 0, undefined],
      ["Feature = chat", "/", 1, "user_id"],
      ["user = user-1", "/users/$userId", 2, undefined],
      ["session = s/1", "/sessions/$sessionId", 3, undefined],
    ]);
  });

  it("goes up to what a page is part of, else to its list", () => {
    const all = [CHAT, USER, SESSION];
    expect(above("/requests/r1", all)).toMatchObject({ place: { to: "/sessions/$sessionId" }, chips: all });
    expect(above("/requests/r1", [USER])).toMatchObject({ place: { to: "/requests" }, chips: [USER] });
    expect(above("/sessions/s1", all)).toMatchObject({ place: { to: "/users/$userId" }, chips: [CHAT, USER] });
    expect(above("/sessions/s1", [SESSION])).toMatchObject({ place: { to: "/sessions" }, chips: [] });
    expect(above("/users/user-1", [CHAT, USER])).toMatchObject({ place: { to: "/users" }, chips: [CHAT] });
  });

  it("says of whom a page is once, and last", () => {
    expect(chipsAt([USER, CHAT], "user_id", "user-2")).toEqual([CHAT, ["user_id", "equals", "user-2"]]);
  });
});

describe("a sorted list", () => {
  const standard = { column: "cost_usd", direction: "desc" } as const;

  it("is what the URL says, where that is known", () => {
    expect(parseSorting("-requests", ["requests"], standard)).toEqual({ column: "requests", direction: "desc" });
    for (const text of ["-nothing", 3, undefined]) expect(parseSorting(text, ["requests"], standard)).toBe(standard);
  });

  it("begins with the highest figure or the first name, and is turned round by a second click", () => {
    expect(sortingText(nextSorting(standard, "requests", false))).toBe("-requests");
    expect(sortingText(nextSorting(standard, "user", true))).toBe("user");
    expect(sortingText(nextSorting(standard, "cost_usd", false))).toBe("cost_usd");
  });

  it("has what is not named at its end, whichever way", () => {
    const rows = ["user-10", "", "user-9"];
    const read = (row: string) => row;
    expect(sorted(rows, read, "asc")).toEqual(["user-9", "user-10", ""]);
    expect(sorted(rows, read, "desc")).toEqual(["user-10", "user-9", ""]);
  });
});

describe("users", () => {
  const view = { compare: "none", filter: "all", timeFilter: {}, zone: "UTC" } as unknown as ViewState;

  test.each([
    ["25", "25"],
    [0.5, "0.5"],
    ["0", undefined],
    ["-1", undefined],
    ["many", undefined],
    [undefined, undefined],
  ])("a least spend of %s is read as %s", (value, over) => expect(parseOver(value)).toBe(over));

  it("are sorted by the server, whose change needs a comparison", () => {
    const change = { column: "change", direction: "asc" } as const;
    const ordered = (compare: string) => usersQuestion({ ...view, compare } as ViewState, change, undefined).orderBy;
    expect(ordered("previous")).toEqual({ measure: "cost_usd", figure: "change", direction: "asc" });
    expect(ordered("none")).toEqual({ measure: "cost_usd", direction: "desc" });
    expect(usersQuestion(view, change, "25").having).toEqual({ cost_usd: { gte: 25 } });
  });

  it("have the tiers of their requests, the dearest first", () => {
    const rows = [
      ["a", "premium"],
      ["b", "free"],
      ["a", "free"],
      ["c", null],
    ].map((by) => ({ by }));
    expect([...tiersByUser(rows)]).toEqual([
      ["a", ["premium", "free"]],
      ["b", ["free"]],
    ]);
  });
});

describe("the waterfall of a session", () => {
  const at = Date.parse("2026-11-21T10:00:00Z");
  const row = (id: string, path: string, second: number, seconds: number, cost: string | null): RequestRow =>
    ({
      request_id: id,
      request_created_at: new Date(at + second * 1000).toISOString(),
      delay_ms: seconds * 1000,
      cost_usd: cost,
      request_properties: path ? { "Helicone-Session-Path": path } : {},
    }) as unknown as RequestRow;
  const shown = (rows: RequestRow[]) =>
    linesOf(rows).map(({ depth, label, cost, request }) => [depth, label, cost, request?.request_id]);

  it("is the tree of paths, in order of time, and lines of requests add up to it", () => {
    const rows = [
      row("b", "/analyze/extract", 2, 1, "0.2"),
      row("a", "/analyze", 0, 2, "0.1"),
      row("c", "/write/draft/one", 5, 1, "0.3"),
      row("d", "/analyze/extract/again", 4, 1, null),
    ];
    expect(shown(rows)).toEqual([
      [0, "analyze", "0.1", "a"],
      [1, "extract", "0.2", "b"],
      [2, "again", null, "d"],
      [0, "write/draft/one", "0.3", "c"],
    ]);
    expect(sum(linesOf(rows).flatMap(({ request, cost }) => (request ? (cost ?? []) : [])))).toBe("0.6");
  });

  it("has several requests of one path below it, with what they cost together", () => {
    expect(shown([row("a", "/try", 0, 1, "0.1"), row("b", "/try", 2, 1, "0.2"), row("c", "", 3, 1, "1")])).toEqual([
      [0, "/", "1", "c"],
      [0, "try", "0.3", undefined],
      [1, "1", "0.1", "a"],
      [1, "2", "0.2", "b"],
    ]);
    const [group] = linesOf([row("a", "/try", 0, 1, null), row("b", "/try", 2, 1, "0.2")]);
    expect(group).toMatchObject({ cost: "0.2", unpriced: 1, requests: 2, start: at, end: at + 3000 });
  });

  it("cuts what was idle for longer than all the work, and says so", () => {
    const lines = [
      { start: 0, end: 1000 },
      { start: 500, end: 2000 },
      { start: 602_000, end: 604_000 },
    ];
    const scale = scaleOf(lines);
    expect(scale.breaks).toMatchObject([{ ms: 600_000 }]);
    expect(scale.placeOf(0)).toBe(0);
    expect(scale.placeOf(2000)).toBeCloseTo(0.47);
    expect(scale.placeOf(602_000)).toBeCloseTo(0.53);
    expect(scale.placeOf(604_000)).toBeCloseTo(1);
    expect(scale.ticks.map(({ ms }) => ms)).toEqual([0, 602_000]);
  });

  it("keeps short waits as long as they are", () => {
    const scale = scaleOf([
      { start: 0, end: 1000 },
      { start: 1500, end: 2000 },
    ]);
    expect(scale.breaks).toEqual([]);
    expect(scale.placeOf(1000)).toBe(0.5);
    expect(scale.ticks.map(({ ms }) => ms)).toEqual([0, 500, 1000, 1500, 2000]);
    expect(scaleOf([]).ticks).toEqual([]);
    expect(scaleOf([{ start: 5, end: 5 }]).placeOf(5)).toBe(0);
  });

  test.each([
    [0, "0 s"],
    [350, "350 ms"],
    [2500, "2.5 s"],
    [42_000, "42 s"],
    [240_000, "4 min"],
    [110_000, "1 min 50 s"],
    [4_800_000, "1 h 20 min"],
    [200_000_000, "2 days"],
  ])("%s ms read %s", (ms, text) => expect(duration(ms)).toBe(text));
});

describe("the rank of a session", () => {
  test.each([
    [{ below: 400, above: 11 }, 412, "Costs more than 97 % of the 412 sessions named Doc"],
    [{ below: 411, above: 0 }, 412, "The dearest of the 412 sessions named Doc"],
    [{ below: 0, above: 5 }, 9, "The cheapest of the 9 sessions named Doc"],
    [{ below: 2, above: 6 }, 9, "Costs less than 66 % of the 9 sessions named Doc"],
    [{ below: 0, above: 0 }, 1, undefined],
  ])("of %o among %s", (rank, known, text) => expect(rankText({ rank, known }, "Doc")).toBe(text));
});

describe("the bars of a distribution", () => {
  const bars = [
    { from_usd: "0", to_usd: "1", count: 4, cost_usd: "2" },
    { from_usd: "1", to_usd: "2", count: 0, cost_usd: "0" },
    { from_usd: "2", to_usd: "12", count: 1, cost_usd: "12" },
  ];

  it("are as high as they have sessions, outliers the last", () => {
    const columns = columnsOf({ bars, outlier_above_usd: "2", outlier_count: 1 });
    expect(columns.map(({ height, isOutliers }) => [height, isOutliers])).toEqual([
      [1, false],
      [0, false],
      [0.25, true],
    ]);
    expect([0, "0.5", 12, 13, null].map((amount) => placeOfAmount(columns, amount))).toEqual([
      0,
      0.5 / 3,
      1,
      undefined,
      undefined,
    ]);
  });
});

describe("a line", () => {
  it("has gaps where nothing was, and a round top", () => {
    expect(lineOf([1, null, 3, 4]).runs.map((run) => run.map(({ index }) => index))).toEqual([[0], [2, 3]]);
    expect([0, 0.3, 8760, 21, 100].map(topOf)).toEqual([1, 0.5, 10_000, 25, 100]);
  });
});
