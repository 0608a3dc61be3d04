import { describe, expect, it, test } from "vitest";
import { parseExactly } from "../api/json";
import { projection } from "../chart/series";
import { difference, digitsOf, sum } from "../format/decimal";
import { axisMoney, compactMoney, exactMoney, money, moneyChange, percent } from "../format/format";
import { changesClocks, dateIn } from "../format/time";

test.each([
  [null, "unknown"],
  [0, "$0.00"],
  ["1332.779", "$1,332.78"],
  ["0.000042", "$0.000042"],
  ["0.00004215678", "$0.00004216"],
  ["0.05", "$0.05"],
  ["-3.5", "−$3.50"],
])("money reads %s as %s", (value, shown) => expect(money(value)).toBe(shown));

test.each([
  ["12412.5", "$12.4K"],
  ["1300000", "$1.3M"],
  ["496.74", "$496.74"],
])("a tile reads %s as %s", (value, shown) => expect(compactMoney(value)).toBe(shown));

test("the hover has every digit", () => {
  expect(exactMoney("454.1034250123456789012")).toBe("$454.1034250123456789012");
  expect(exactMoney("1e-7")).toBe("$0.0000001");
});

test.each([
  [1, "100 %"],
  ["0.99998", "99.9 %"],
  ["0.0004", "< 0.1 %"],
  [0, "0 %"],
  ["48.944", "4,894 %"],
  [null, "unknown"],
])("a share of %s reads %s", (share, shown) => expect(percent(share)).toBe(shown));

test("steps of an axis read differently", () => {
  expect([0, 0.005, 0.01, 0.015, 0.5, 0.000015, 20, 12_500].map(axisMoney)).toEqual([
    "$0",
    "$0.005",
    "$0.01",
    "$0.015",
    "$0.50",
    "$0.000015",
    "$20",
    "$12.5K",
  ]);
});

test("a change has both figures, and no relative one without a base", () => {
  expect(moneyChange("214.004", "0.1904")).toBe("+$214.00, +19 %");
  expect(moneyChange("-2", "-0.041")).toBe("−$2.00, −4.1 %");
  expect(moneyChange("-0.06", "-0.0002")).toBe("−$0.06, < 0.1 %");
  expect(moneyChange("5", null)).toBe("+$5.00");
  expect(moneyChange("155.83", "29.98")).toBe("+$155.83, ×31");
});

describe("JSON without loss", () => {
  it("keeps what a double would round, and leaves strings alone", () => {
    const text =
      '{"cost":0.1234567890123456789,"n":12,"big":12345678901234567890,"s":"a \\"1.5\\" 2.5","l":[1.0,null]}';
    expect(parseExactly(text)).toEqual({
      cost: "0.1234567890123456789",
      n: 12,
      big: "12345678901234567890",
      s: 'a "1.5" 2.5',
      l: ["1.0", null],
    });
  });

  it("sums exactly", () => {
    expect(sum(["0.1", "0.2", 3, "1e-12"])).toBe("3.300000000001");
    expect(difference("0.3", "0.1")).toBe("0.2");
    expect(sum([])).toBe("0");
    expect(digitsOf("-0.50")).toBe("-0.5");
  });
});

describe("days", () => {
  it("are those of the zone", () => {
    const now = Date.parse("2026-11-21T23:30:00Z");
    expect(dateIn("UTC", now)).toBe("2026-11-21");
    expect(dateIn("Europe/Berlin", now)).toBe("2026-11-22");
    expect(dateIn("UTC", now, 21)).toBe("2026-10-31");
  });

  it("on which clocks are set have 23 or 25 hours", () => {
    expect(changesClocks("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00")).toBe(true);
    expect(changesClocks("2026-10-24T00:00:00+02:00", "2026-10-25T00:00:00+02:00")).toBe(false);
  });
});

describe("the projection of a month", () => {
  it("needs five whole days, and is never less than what is spent", () => {
    expect(projection([1, 1, 1, 1, 1], 9)).toBeNull();
    expect(projection([10, 10, 10, 10, 10, 0], 4)).toEqual([100, 100]);
    const band = projection([0, 100, 0, 100, 0, 50], 1);
    expect(band?.[0]).toBeGreaterThanOrEqual(250);
  });
});
