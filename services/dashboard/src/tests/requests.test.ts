import { describe, expect, it } from "vitest";
import { addressOf, keyOf, parseKey, type RequestRow } from "../api/requests";
import { instantIn, localIn } from "../format/instant";
import { attemptsInOrder } from "../pages/request/inOrder";
import { amountsOf, changeOf, csvOf, modelsOf, titleOfClass, unitPrice } from "../pages/request/invoice";
import { inlineOf, segmentsOf } from "../pages/request/segments";
import { COLUMNS, columnOf, orderingOf, SHOWN, sortOf } from "../pages/requests/columns";
import { grown, merged, periodWith, unknownOf } from "../pages/requests/tail";
import { besideInList, rememberList } from "../state/listed";

const at = (second: number, id = `r${second}`): RequestRow =>
  ({ request_id: id, request_created_at: `2026-11-21T06:00:${String(second).padStart(2, "0")}.000Z` }) as RequestRow;
const ids = (rows: readonly RequestRow[]) => rows.map((row) => row.request_id);

describe("the attempts of a request", () => {
  it("are in the order in which they were made, and the one that responded is the last", () => {
    const rows = [at(1, "call"), { ...at(5), attempt_of: "call" }, { ...at(3), attempt_of: "call" }];
    expect(ids(attemptsInOrder(rows))).toEqual(["r3", "r5", "call"]);
  });
});

describe("a followed list", () => {
  it("takes what it does not know, the newest first, wherever it belongs", () => {
    const known = new Set([at(5), at(3)].map(keyOf));
    const fresh = unknownOf([at(9), at(5), at(4, "late"), at(3)], known);
    expect(ids(merged(fresh, [at(5), at(3)]))).toEqual(["r9", "r5", "late", "r3"]);
  });

  it("tells requests with the same id apart", () => {
    expect(unknownOf([at(9, "same")], new Set([keyOf(at(3, "same"))]))).toHaveLength(1);
  });

  it("holds back what is new while somebody reads, and shows all of it after", () => {
    const nothing = { rows: [], held: [], isCut: false };
    const held = grown(grown(nothing, [at(1)], false, true), [at(2)], false, true);
    expect([ids(held.rows), ids(held.held)]).toEqual([[], ["r2", "r1"]]);
    const shown = grown(held, [at(3)], false, false);
    expect([ids(shown.rows), ids(shown.held)]).toEqual([["r3", "r2", "r1"], []]);
  });

  it("begins anew where more came than it looks through", () => {
    const nothing = { rows: [], held: [], isCut: false };
    expect(grown(nothing, [at(1)], true, false).isCut).toBe(true);
    const many = Array.from({ length: 2001 }, (_, index) => at(1, `r${index}`));
    expect(grown(nothing, many, false, false)).toEqual({ ...nothing, isCut: true, seal: undefined });
  });

  it("forgets why a look failed once one succeeds, even if nothing is new", () => {
    const failed = { rows: [at(1)], held: [], isCut: false, error: new Error("busy") };
    expect(grown(failed, [], false, false).error).toBeUndefined();
    expect(grown(failed, [at(2)], false, true).error).toBeUndefined();
  });

  it("is of a period that ends behind its newest request", () => {
    const period = { start: "2026-11-20T00:00:00Z", end: "2026-11-21T06:00:05Z" };
    expect(periodWith(period, [])).toEqual(period);
    expect(periodWith(period, [at(4)])).toEqual(period);
    expect(periodWith(period, [at(5), at(4)])).toEqual({ ...period, end: "2026-11-21T06:00:05.001Z" });
  });
});

describe("a request's place", () => {
  it("is its id and when it was made", () => {
    const key = keyOf(at(3, "a-b"));
    expect(parseKey(key)).toEqual({ id: "a-b", createdAt: "2026-11-21T06:00:03.000Z" });
    expect(parseKey("a-b")).toEqual({ id: "a-b", createdAt: undefined });
    expect(addressOf(key, "/cost")).toBe("/v1/request/a-b/cost?created_at=2026-11-21T06%3A00%3A03.000Z");
    expect(addressOf("a-b", "", { includeBody: "true" })).toBe("/v1/request/a-b?includeBody=true");
  });

  it("has neighbours in the list that it was opened from", () => {
    rememberList(["a", "b", "c"]);
    expect([besideInList("b", 1), besideInList("b", -1), besideInList("c", 1), besideInList("x", 1)]).toEqual([
      "c",
      "a",
      undefined,
      undefined,
    ]);
  });
});

describe("the order and the columns of the list", () => {
  it.each([
    [undefined, { created_at: "desc" }],
    ["created_at", { created_at: "asc" }],
    ["-cost_usd", { cost_usd: "desc" }],
    ["-@Feature", { properties: { Feature: "desc" } }],
    ["-no_such", { created_at: "desc" }],
    ["@", { created_at: "desc" }],
  ])("are read from the URL: %s", (text, sort) => {
    expect(sortOf(orderingOf(text))).toEqual(sort);
  });

  it("have one meaning each", () => {
    expect(new Set(COLUMNS.map(({ id }) => id)).size).toBe(COLUMNS.length);
    expect(new Set(COLUMNS.map(({ title }) => title)).size).toBe(COLUMNS.length);
    expect(SHOWN.every((id) => columnOf(id))).toBe(true);
    expect(columnOf("no_such")).toBeUndefined();
  });

  it("show a property however it is spelled", () => {
    const row = { request_properties: { Feature: "chat" } } as unknown as RequestRow;
    expect(columnOf("@feature")?.show(row, "UTC")).toBe("chat");
    expect(columnOf("@other")?.show(row, "UTC")).toBe("–");
  });
});

describe("a time that is typed", () => {
  it.each([
    ["UTC", "2026-11-21T06:30", "2026-11-21T06:30:00.000Z"],
    ["Europe/Berlin", "2026-11-21T06:30", "2026-11-21T05:30:00.000Z"],
    ["Europe/Berlin", "2026-07-01T00:00", "2026-06-30T22:00:00.000Z"],
    ["America/New_York", "2026-03-08T03:30", "2026-03-08T07:30:00.000Z"],
    ["Pacific/Auckland", "2026-01-01T00:00", "2025-12-31T11:00:00.000Z"],
  ])("is one of the zone %s", (zone, local, instant) => {
    expect(instantIn(zone, local)).toBe(instant);
    expect(localIn(zone, instant)).toBe(local);
  });

  it("may be none", () => expect(instantIn("UTC", "")).toBeUndefined());
});

describe("text", () => {
  it("has its blocks of code apart", () => {
    expect(segmentsOf("See:\n\n```python\nx = 1\n\ny = 2\n```\n\nDone.")).toEqual([
      { text: "See:" },
      { text: "x = 1\n\ny = 2", language: "python" },
      { text: "Done." },
    ]);
  });

  it.each([
    ["no fence", [{ text: "no fence" }]],
    ["```\nopen", [{ text: "open", language: "" }]],
    ['{"a":1}', [{ text: '{\n  "a": 1\n}', language: "json" }]],
    ["{not json}", [{ text: "{not json}" }]],
    ["", [{ text: "" }]],
  ])("is split: %s", (text, segments) => expect(segmentsOf(text)).toEqual(segments));

  it("marks code and what is strong within a line", () => {
    expect(inlineOf("the `key` is **new**, 2 ** 3")).toEqual([
      { text: "the " },
      { text: "key", style: "code" },
      { text: " is " },
      { text: "new", style: "strong" },
      { text: ", 2 ** 3" },
    ]);
  });
});

describe("an invoice", () => {
  const line = {
    model: "m",
    usage_class: "prompt_tokens",
    quantity: 2,
    unit_usd: "0.0000025",
    per: 1,
    usd_per_million: "2.5",
    amount_usd: "0.000005",
  };
  const other = { ...line, model: "n, or o", usage_class: "completion_tokens" };

  it.each([
    [{ usd_per_million: "2.5", unit_usd: "0.0000025", per: 1 }, "$2.50 / M"],
    [{ usd_per_million: "0.075", unit_usd: "0.000000075", per: 1 }, "$0.075 / M"],
    [{ usd_per_million: null, unit_usd: "0.36", per: 3_600_000 }, "$0.36 / h"],
    [{ usd_per_million: null, unit_usd: "0.01", per: 1 }, "$0.01"],
    [{ usd_per_million: null, unit_usd: null, per: 1 }, "–"],
  ])("has unit prices as price lists have them", (of, text) => expect(unitPrice(of)).toBe(text));

  it("has amounts whose points stand below each other, with every digit", () => {
    expect(amountsOf(["0.969575", 0.1424, "1.111975"])).toEqual(["$0.969575", "$0.142400", "$1.111975"]);
    expect(amountsOf(["0", null, "12345"])).toEqual(["$0.00", "unknown", "$12,345.00"]);
    expect(amountsOf(["-0.000000000001"])).toEqual(["−$0.000000000001"]);
  });

  it("is copied with every digit", () => {
    expect(csvOf({ lines: [line, other], total_usd: "0.00001" })).toBe(
      'model,usage_class,quantity,unit_usd,per,amount_usd\nm,prompt_tokens,2,0.0000025,1,0.000005\n"n, or o",completion_tokens,2,0.0000025,1,0.000005\ntotal,,,,,0.00001\n',
    );
  });

  it("keeps the parts of other models apart, each with its price", () => {
    const price = { id: "a" };
    const receipt = {
      model: "m",
      price,
      lines: [line, other],
      other_models: [{ model: "n, or o", price: null, why: "no price" }],
    };
    expect(modelsOf(receipt as never).map(({ model, price, why }) => [model, price, why])).toEqual([
      ["m", price, null],
      ["n, or o", null, "no price"],
    ]);
  });

  it("says what a re-pricing changed, where both ends are known", () => {
    expect(changeOf({ reprice_id: "r", original_cost_usd: "0.3", cost_usd: "0.1" })).toBe("-0.2");
    expect(changeOf({ reprice_id: "r", original_cost_usd: null, cost_usd: "0.1" })).toBeNull();
    expect(changeOf({ reprice_id: "", original_cost_usd: null, cost_usd: "0.1" })).toBeNull();
  });

  it("names what was used in the field's words", () => {
    expect(
      ["prompt_tokens", "prompt_image_tokens", "completion_audio_tokens", "web_searches"].map(titleOfClass),
    ).toEqual(["input tokens", "input image tokens", "output audio tokens", "web searches"]);
  });
});
