import { expect, it } from "vitest";
import { answeredPeriod } from "../frame/published";

it.each([
  ["that of the report", { start: "a", end: "b", rows: [] }, false, { start: "a", end: "b" }],
  ["none while the report before is shown", { start: "a", end: "b", rows: [] }, true, undefined],
  ["none before there is a report", undefined, false, undefined],
])("the period of a page is %s", (_, data, isPlaceholderData, period) => {
  const report = { data: data && { data }, isPlaceholderData };
  expect(answeredPeriod(report as unknown as Parameters<typeof answeredPeriod>[0])).toEqual(period);
});
