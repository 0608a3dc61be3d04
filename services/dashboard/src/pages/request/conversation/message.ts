/** What a conversation is made of, whichever provider's shape it came in. */

export type Part =
  | { kind: "text"; text: string }
  | { kind: "thinking"; text: string }
  | { kind: "refusal"; text: string }
  | { kind: "image"; source: string }
  | { kind: "audio"; source: string; transcript: string }
  | { kind: "video"; source: string }
  /** Something that lies elsewhere, or that a page cannot show: the page asks no other site for anything. */
  | { kind: "link"; what: string; url: string }
  | { kind: "file"; name: string }
  | { kind: "call"; name: string; input: string }
  | { kind: "result"; name: string; text: string; isError: boolean; images: string[] }
  | { kind: "sources"; items: { title: string; url: string }[] }
  | { kind: "vectors"; count: number; dimensions: number; first: readonly number[] }
  | { kind: "ranking"; rows: { index: number; score: number; text: string }[] }
  | { kind: "json"; title: string; text: string };

export interface Message {
  role: string;
  parts: Part[];
  /** Why it ended, where that is not as it should. */
  note?: string;
}

export type Json = Record<string, unknown>;

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const objects = (value: unknown): Json[] => list(value).filter(isObject);
export const string = (value: unknown): string => (typeof value === "string" ? value : "");

/** The object under one of these names, else an empty one. */
export function within(value: unknown, ...names: string[]): Json {
  if (!isObject(value)) return {};
  for (const name of names) if (isObject(value[name])) return value[name];
  return {};
}

/** JSON as people read it; text that is no JSON as it stands. */
export function pretty(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value ?? {}, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

/** The text in what may be text, parts of text, or anything. */
export function plainText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(plainText).filter(Boolean).join("\n");
  if (isObject(value)) return typeof value["text"] === "string" ? value["text"] : pretty(value);
  return value === null || value === undefined ? "" : String(value);
}
