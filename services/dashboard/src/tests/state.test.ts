import { describe, expect, it, test } from "vitest";
import type { Grouping } from "../api/queries";
import { barsOf, COST, Palette, REST } from "../chart/series";
import { received, sent } from "../pages/request/conversation";
import { faultOf, filterOf, parseChip, parseTyped, writtenOf } from "../state/filter";
import { bucketOf, isRunning, sinceOf, timeFilterOf } from "../state/range";
import { parseSearch, withChip, withoutChip } from "../state/search";

describe("the URL", () => {
  it("keeps what can be read, and nothing else", () => {
    const chip = ["model", "equals", "gpt-4o"];
    expect(parseSearch({ range: "28d", zone: "Europe/Berlin", filter: [chip, ["x"], 3], by: "model" })).toEqual({
      range: "28d",
      zone: "Europe/Berlin",
      filter: [chip],
      by: "model",
    });
    expect(parseSearch({ range: "9y", zone: "Mars", from: "soon", to: "2026-01-01", compare: 3 })).toEqual({});
  });

  it("has one chip for a name and operator", () => {
    const one = withChip(undefined, ["model", "equals", "a"]);
    expect(withChip(one, ["model", "equals", "b"])).toEqual([["model", "equals", "b"]]);
    expect(withoutChip(one, ["model", "equals", "a"])).toBeUndefined();
  });
});

test.each([
  ["Feature=chat", ["@Feature", "equals", "chat"]],
  ["model ~ gpt-4", ["model", "contains", "gpt-4"]],
  ["user!=user-1", ["user_id", "not-equals", "user-1"]],
  ["cost_usd>=0.5", ["cost_usd", "gte", "0.5"]],
  ["Feature=", ["@Feature", "equals", null]],
  ["chat", undefined],
])("%s is typed as a chip", (text, chip) => expect(parseChip(text)).toEqual(chip));

test.each([
  ["latency~5", "latency in ms takes >= > <= < = !="],
  ["latency in ms>=slow", "latency in ms is a number"],
  ["streamed=yes", "true or false"],
  ["time of the request>yesterday", "a date, such as 2026-11-21"],
  ["model~", "and a value"],
  ["scores.quality<3", undefined],
  ["text of the request~refund", undefined],
])("%s is no chip, since: %s", (text, fault) => {
  const typed = parseTyped(text);
  expect(typed && faultOf(typed)).toBe(fault);
});

test("a property that is called like a column is typed with its mark", () => {
  expect([writtenOf("@model"), writtenOf("@Feature"), writtenOf("user_id")]).toEqual(["@model", "Feature", "user"]);
  expect(parseChip("@model=a")).toEqual(["@model", "equals", "a"]);
});

test("chips must hold together, with values of their column's kind", () => {
  expect(filterOf([])).toBe("all");
  expect(
    filterOf([
      ["@Feature", "equals", "chat"],
      ["cached", "equals", "true"],
      ["cost_usd", "gt", "0.5"],
    ]),
  ).toEqual({
    left: {
      left: { request_response_rmt: { properties: { Feature: { equals: "chat" } } } },
      operator: "and",
      right: { request_response_rmt: { cached: { equals: true } } },
    },
    operator: "and",
    right: { request_response_rmt: { cost_usd: { gt: 0.5 } } },
  });
});

test("ranges are calendar days of the zone", () => {
  const now = Date.parse("2026-11-21T23:30:00Z");
  expect(timeFilterOf({}, "Europe/Berlin", now)).toEqual({ start: "2026-11-16" });
  expect(timeFilterOf({ range: "last-month" }, "UTC", now)).toEqual({ start: "2026-10-01", end: "2026-11-01" });
  expect(timeFilterOf({ range: "week" }, "Europe/Berlin", now)).toEqual({ start: "2026-11-16" });
  expect(timeFilterOf({ range: "last-week" }, "UTC", now)).toEqual({ start: "2026-11-09", end: "2026-11-16" });
  for (const [search, running] of [
    [{ range: "last-week" }, false],
    [{ range: "week" }, true],
    [{ from: "2026-11-01", to: "2027-01-01" }, true],
  ] as const)
    expect(isRunning(timeFilterOf(search, "UTC", now), now)).toBe(running);
  expect(timeFilterOf({ range: "24h" }, "UTC", now)).toEqual({ since: "24h" });
  const beginnings = (["7d", "24h", "last-month"] as const).map((range) =>
    sinceOf(timeFilterOf({ range }, "UTC", now)),
  );
  expect(beginnings).toEqual(["2026-11-15", "24h", "2026-10-01"]);
  expect(bucketOf({ from: "2026-11-20", to: "2026-11-21" }, now)).toBe("hour");
  expect(bucketOf({ from: "2025-01-01" }, now)).toBe("month");
});

describe("bars", () => {
  const row = (by: unknown[], cost: unknown) => ({
    by,
    measures: { cost_usd: cost, unpriced_requests: cost === null ? 2 : 0 },
  });
  const grouping = (rows: unknown[]) => ({ rows, total: {}, rest: null, truncated: false }) as unknown as Grouping;
  const days = ["2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00"];

  it("add up to the totals, with what is left as the rest", () => {
    const bars = barsOf(
      grouping([row([days[0]], "10.3"), row([days[1]], null)]),
      grouping([row(["chat"], "7"), row(["faq"], "3")]),
      grouping([row(["chat", days[0]], "7.1"), row(["faq", days[0]], "3")]),
      COST,
      new Palette(),
    );
    expect(bars.series.map(({ key, figures }) => [key, figures])).toEqual([
      ["chat", ["7.1", null]],
      ["faq", ["3", null]],
      [REST, ["0.2", null]],
    ]);
    expect(bars.unknown).toEqual([0, 2]);
  });

  it("keep a name's colour after a filter", () => {
    const palette = new Palette();
    expect(palette.colourOf(["a", "b", "c"])).toEqual([1, 2, 3]);
    expect(palette.colourOf(["c", "d"])).toEqual([3, 1]);
    expect(palette.colourOf(["a", "c"])).toEqual([1, 3]);
  });
});

describe("a conversation", () => {
  it("is read from chat completions", () => {
    const image = "data:image/png;base64,AAAA";
    const call = { function: { name: "find", arguments: '{"id":1}' } };
    expect(
      sent({
        messages: [
          { role: "system", content: "Be brief." },
          {
            role: "user",
            content: [
              { type: "text", text: "What?" },
              { type: "image_url", image_url: { url: image } },
            ],
          },
        ],
      }),
    ).toEqual([
      { role: "system", parts: [{ kind: "text", text: "Be brief." }] },
      {
        role: "user",
        parts: [
          { kind: "text", text: "What?" },
          { kind: "image", source: image },
        ],
      },
    ]);
    expect(received({ choices: [{ message: { role: "assistant", content: null, tool_calls: [call] } }] })).toEqual([
      { role: "assistant", parts: [{ kind: "call", name: "find", input: '{\n  "id": 1\n}' }] },
    ]);
  });

  it("is read from messages, with thinking and tools", () => {
    expect(
      received({
        content: [
          { type: "thinking", thinking: "Hm." },
          { type: "tool_use", name: "find", input: {} },
        ],
      }),
    ).toEqual([
      {
        role: "assistant",
        parts: [
          { kind: "thinking", text: "Hm." },
          { kind: "call", name: "find", input: "{}" },
        ],
      },
    ]);
  });

  it("shows no image that another site would serve", () => {
    const [message] = sent({
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://a.example/x.png" } }] }],
    });
    expect(message?.parts[0]?.kind).toBe("link");
  });

  it("is read from responses and from Gemini", () => {
    expect(sent({ instructions: "Be brief.", input: "Hello" }).map(({ role }) => role)).toEqual(["system", "user"]);
    expect(received({ candidates: [{ content: { role: "model", parts: [{ text: "Hi" }] } }] })).toEqual([
      { role: "assistant", parts: [{ kind: "text", text: "Hi" }] },
    ]);
  });
});
