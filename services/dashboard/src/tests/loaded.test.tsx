import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import { ApiError } from "../api/client";
import { Loaded } from "../ui/ui";

const busy = new ApiError(503, "busy");

it.each([
  ["a skeleton before there is anything", undefined, null, [false, false, true]],
  ["the data", "form", null, [true, false, false]],
  ["the error alone where there are none", undefined, busy, [false, true, false]],
  ["the error above old data", "form", busy, [true, true, false]],
  ["the error alone where they are no more", "form", new ApiError(404, "none"), [false, true, false]],
] as const)("shows %s", (_, data, error, shown) => {
  const html = renderToStaticMarkup(
    <Loaded<string> answer={{ data, error, refetch: () => undefined }} height={9}>
      {(text) => text}
    </Loaded>,
  );
  expect(["form", "alert", "skeleton"].map((part) => html.includes(part))).toEqual(shown);
});
