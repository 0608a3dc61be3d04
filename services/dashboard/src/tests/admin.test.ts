import { describe, expect, it } from "vitest";
import { localMinute } from "../pages/prices/PriceForm";
import { changesByModel } from "../pages/prices/RepriceSteps";
import { rateTitle } from "../pages/prices/rates";
import { pairsOf } from "../pages/settings/tagLines";

describe("tags as they are typed", () => {
  it("are one a line, and may have an = in their value", () => {
    expect(pairsOf(" team = search \n\nEnvironment=a=b")).toEqual({ team: "search", Environment: "a=b" });
  });
  it.each(["team", "=search", "team=", "team=a\nteam=b"])("names what is wrong with %j", (text) => {
    expect(() => pairsOf(text)).toThrow(/team|search/);
  });
});

describe("a timestamp in a field", () => {
  it.each([
    ["2026-10-25T15:38:29.879Z", "Europe/Berlin", "2026-10-25T16:38"],
    ["2026-07-01T22:00:00Z", "America/New_York", "2026-07-01T18:00"],
    ["2026-01-01T00:00:00Z", "UTC", "2026-01-01T00:00"],
  ])("is the minute of %s in %s", (timestamp, zone, minute) => {
    expect(localMinute(timestamp, zone)).toBe(minute);
  });
});

it("adds up the days of each model to the last digit, and unknown stays unknown", () => {
  const day = (model: string, before: string | null, after: string | null) =>
    ({ model, day: "2026-11-01", changed: 2, before_usd: before, after_usd: after }) as never;
  expect(changesByModel([day("a", null, "0.1"), day("a", null, "0.200000000001"), day("b", "1", null)])).toEqual([
    { model: "a", requests: 4, before: null, after: "0.300000000001" },
    { model: "b", requests: 2, before: "1", after: null },
  ]);
});

it("calls what is billed by names that people know", () => {
  expect(["prompt_tokens", "prompt_cache_write_1h_tokens", "completion_audio_tokens"].map(rateTitle)).toEqual([
    "Input",
    "Cache write, 1 h",
    "Completion audio",
  ]);
});
