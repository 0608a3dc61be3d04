import { type Lossless, parseExactly } from "./json";
import type { components } from "./schema";

type Schemas = components["schemas"];
/** A body or view of the API, with every digit. */
export type View<Name extends keyof Schemas> = Lossless<Schemas[Name]>;
export type Body<Name extends keyof Schemas> = Partial<Schemas[Name]>;
export type Seal = View<"SealView">;

export interface Sealed<Data> {
  data: Data;
  seal: Seal;
}

/** A response that is no success: the server's own sentence, and its status; 0 where none came. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  accept?: string;
  signal?: AbortSignal | undefined;
}

async function send(path: string, { method = "GET", body, accept, signal }: Options): Promise<Response> {
  const headers = new Headers({ "Farebox-Dashboard": "1", Accept: accept ?? "application/json" });
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const response = await fetch(path, {
    method,
    headers,
    credentials: "same-origin",
    signal: signal ?? null,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "Farebox cannot be reached. Is it running?");
  });
  if (response.ok) return response;
  const text = await response.text();
  let message = `the server answered with status ${response.status}`;
  try {
    message = String((JSON.parse(text) as { error?: unknown }).error ?? message);
  } catch {
    // no JSON: a proxy in between has answered
  }
  throw new ApiError(response.status, message);
}

export async function call<Envelope>(path: string, options: Options = {}): Promise<Envelope> {
  return parseExactly(await (await send(path, options)).text()) as Envelope;
}

/** The same response with every digit, and as JavaScript reads it. */
export async function callTwice<Envelope>(path: string, signal?: AbortSignal): Promise<[Envelope, Envelope]> {
  const text = await (await send(path, { signal })).text();
  return [parseExactly(text) as Envelope, JSON.parse(text) as Envelope];
}

/** The same as a file, of the media type that `accept` names. */
export async function fileOf(path: string, body: unknown, accept = "*/*"): Promise<Blob> {
  return (await send(path, { method: "POST", body, accept })).blob();
}
