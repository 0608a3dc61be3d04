/** API keys and the state of what runs, for the settings page. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Body, call, type Sealed, type View } from "./client";

export type ApiKey = View<"ApiKeyView">;
export type NewKey = View<"NewKeyView">;
export type System = View<"SystemView">;

const KEYS = "/v1/api-keys";

export function useKeysList(enabled = true) {
  return useQuery({
    queryKey: ["keys"],
    queryFn: ({ signal }) => call<{ data: ApiKey[] }>(`${KEYS}?include_revoked=true`, { signal }),
    enabled,
  });
}

export function useSystem() {
  return useQuery({
    queryKey: ["system"],
    queryFn: ({ signal }) => call<Sealed<System>>("/v1/system", { signal }),
    refetchInterval: 10_000,
  });
}

interface Change {
  path: string;
  method: "POST" | "PATCH" | "DELETE";
  body?: unknown;
}

/** Changes a key, after which the list is asked for again. */
export function useKeyChange<Shown>() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ path, ...options }: Change) => call<{ data: Shown }>(KEYS + path, options).then(({ data }) => data),
    onSuccess: () => client.invalidateQueries({ queryKey: ["keys"] }),
  });
}

export const create = (body: Body<"KeyRequest">): Change => ({ path: "", method: "POST", body });
export const rename = (id: string, name: string): Change => ({
  path: `/${id}`,
  method: "PATCH",
  body: { api_key_name: name },
});
export const rotate = (id: string, overlapS: number): Change => ({
  path: `/${id}/rotate`,
  method: "POST",
  body: { overlap_s: overlapS },
});
export const revoke = (id: string): Change => ({ path: `/${id}`, method: "DELETE" });
