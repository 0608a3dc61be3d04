import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { forgetAnswers } from "../api/queries";
import { besideInList, rememberList } from "../state/listed";

it("forgets all that the key before was answered, but not that there is a session", () => {
  const client = new QueryClient();
  for (const key of [["session"], ["report", { by: [] }], ["requests", "all"], ["first-request"]])
    client.setQueryData(key, {});
  rememberList(["a", "b"]);
  forgetAnswers(client);
  const kept = client.getQueryCache().getAll();
  expect(kept.map(({ queryKey }) => queryKey)).toEqual([["session"]]);
  expect(besideInList("a", 1)).toBeUndefined();
});
