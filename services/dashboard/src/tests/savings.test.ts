import { describe, expect, it } from "vitest";
import { duration, gistOf, lossText, rangeText } from "../pages/cache/figures";
import { instants } from "../pages/cache/questions";
import { linesOf } from "../pages/cache/RateChart";
import { masked, proxyUrl, snippets } from "../pages/overview/snippets";
import type { ViewState } from "../state/view";

const point = (rate: number | null) => ({ start: "", rate, hits: 0, allowed: 0 });

describe("figures of the cache", () => {
  it.each([
    ["1.2", "3.4", "$1.20 – $3.40"],
    ["1.201", "1.202", "$1.20"],
    [null, null, "unknown"],
    ["0", "0", "$0.00"],
  ])("read as a range, or as one where both ends read the same", (low, high, text) => {
    expect(rangeText(low, high)).toBe(text);
    expect(lossText({ certain_usd: low, likely_usd: high })).toBe(text);
  });

  it.each([
    [null, "unknown"],
    [4.26, "4.3 s"],
    [42.4, "42 s"],
    [720, "12 min"],
    [9000, "2.5 h"],
  ])("say how long", (seconds, text) => expect(duration(seconds)).toBe(text));

  it("have gaps where nothing allowed the cache", () => {
    expect(linesOf([point(0), point(1), point(null), point(0.5)])).toEqual([
      "0.0,180.0 333.3,0.0",
      "1000.0,90.0 1000.0,90.0",
    ]);
  });

  it("say what a prompt is about", () => {
    const prompt = JSON.stringify({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Where is\nmy order?" },
      ],
    });
    expect(gistOf(prompt, null)).toBe("Where is my order?");
    expect(gistOf("no JSON", null)).toBe("no JSON");
    expect(gistOf(null, JSON.stringify({ choices: [{ message: { content: "Hi" } }] }))).toBe("Hi");
    expect(gistOf(null, null)).toBe("its body was not kept");
  });

  it("are asked for from midnight of the zone on", () => {
    const view = { zone: "Europe/Berlin", timeFilter: { start: "2026-11-16" } } as ViewState;
    const now = Date.parse("2026-11-22T05:00:00Z");
    expect(instants(view, now)).toEqual({ start: "2026-11-15T23:00:00.000Z", end: "2026-11-22T05:01:00.000Z" });
  });
});

describe("the first request", () => {
  const local = { protocol: "http:", hostname: "localhost" };
  const remote = { protocol: "https:", hostname: "costs.example" };

  it.each([
    ["http://127.0.0.1:9000", local, "http://127.0.0.1:9000"],
    ["http://127.0.0.1:9000", remote, "http://costs.example:9000"],
    ["https://llm.example/proxy/", remote, "https://llm.example/proxy"],
    ["", remote, "https://costs.example:8787"],
  ])("goes where the proxy is: %s", (known, page, url) => expect(proxyUrl(known, page)).toBe(url));

  it("carries the key that was typed, or a variable", () => {
    for (const text of Object.values(snippets("http://p", "sk-key"))) expect(text).toContain("Bearer sk-key");
    for (const text of Object.values(snippets("http://p", ""))) expect(text).toContain("HELICONE_API_KEY");
    expect(masked("sk-farebox-abcdefgh1234")).toBe("sk-farebox-…1234");
  });
});
