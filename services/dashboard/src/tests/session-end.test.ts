import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { ApiError } from "../api/client";
import { endSession } from "../api/queries";

it("asks for a key again only where the session has ended", () => {
  const client = new QueryClient();
  client.setQueryData(["session"], "signed in");
  for (const error of [new ApiError(0, "unreachable"), new ApiError(403, "not allowed"), new Error("other")]) {
    endSession(client, error);
    expect(client.getQueryData(["session"])).toBe("signed in");
  }
  endSession(client, new ApiError(401, "revoked"));
  expect(client.getQueryData(["session"])).toBeNull();
});
