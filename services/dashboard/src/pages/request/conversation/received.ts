/** The body of a response as messages. */
import { fromBytes, fromUrl } from "./media";
import {
  isObject,
  type Json,
  list,
  type Message,
  objects,
  type Part,
  plainText,
  pretty,
  string,
  within,
} from "./message";
import { callsOf, partOf, partsOf, unique } from "./parts";
import { messageOf } from "./sent";
import { streamed } from "./streams";

/** How a response ends that is whole. */
const WHOLE =
  /^(|null|stop|end_turn|tool_calls?|tool_use|function_call|complete|completed|finish|stop_sequence|eos|end)$/i;
const NOTES: Record<string, string> = {
  length: "cut off: the limit of output tokens was reached",
  max_tokens: "cut off: the limit of output tokens was reached",
  max_output_tokens: "cut off: the limit of output tokens was reached",
  content_filter: "stopped by the provider's content filter",
  safety: "stopped by the provider's content filter",
  refusal: "the model refused",
};

function noted(messages: Message[], reason: unknown): Message[] {
  const named = string(reason).toLowerCase();
  const last = messages.at(-1);
  if (!last || WHOLE.test(named)) return messages;
  return [...messages.slice(0, -1), { ...last, note: NOTES[named] ?? `ended with ${named.replaceAll("_", " ")}` }];
}

const answered = (parts: Part[]): Message[] => (parts.length ? [{ role: "assistant", parts }] : []);

/** What came back. */
export function received(body: unknown): Message[] {
  if (typeof body === "string") return streamed(body);
  if (Array.isArray(body)) return listed(body);
  if (!isObject(body)) return [];
  const wrapped = within(body, "response", "result");
  if (isObject(wrapped["body"])) return received(wrapped["body"]); // a line of a batch
  if (isObject(wrapped["message"])) return received(wrapped["message"]);
  for (const read of READERS) {
    const found = read(body);
    if (found.length) return found;
  }
  return [];
}

type Reader = (body: Json) => Message[];

function choices(body: Json): Message[] {
  return objects(body["choices"]).flatMap((choice) => {
    const message = within(choice, "message");
    const found = Object.keys(message).length
      ? messageOf({ role: "assistant", ...message })
      : answered(partOf(choice["text"]));
    return noted(found, choice["finish_reason"]);
  });
}

function candidates(body: Json): Message[] {
  const blocked = string(within(body, "promptFeedback")["blockReason"]);
  if (blocked) return answered([{ kind: "refusal", text: `The prompt was blocked: ${blocked.toLowerCase()}` }]);
  return objects(body["candidates"]).flatMap((one) => {
    const parts = partsOf(within(one, "content")["parts"]);
    return noted([{ role: "assistant", parts: [...parts, ...groundsOf(one)] }], one["finishReason"]);
  });
}

function groundsOf(candidate: Json): Part[] {
  const chunks = objects(within(candidate, "groundingMetadata")["groundingChunks"]);
  const items = chunks.flatMap((chunk) => {
    const found = within(chunk, "web", "maps", "retrievedContext");
    return found["uri"] || found["title"] ? { title: string(found["title"]), url: string(found["uri"]) } : [];
  });
  return items.length ? [{ kind: "sources", items: unique(items) }] : [];
}

/** OpenAI's responses, Google's interactions, Mistral's conversations. */
function outputs(body: Json): Message[] {
  const items = objects(body["output"] ?? body["outputs"]);
  const parts = items.flatMap((item) => (item["type"] === "message" ? partsOf(item["content"]) : partOf(item)));
  return noted(answered(parts), within(body, "incomplete_details")["reason"] ?? "");
}

/** Anthropic's, and Cohere's and Bedrock's in their `message`. */
function message(body: Json): Message[] {
  const own = within(isObject(body["output"]) ? body["output"] : body, "message");
  const found = own["content"] || own["tool_calls"] ? own : body;
  if (!Array.isArray(found["content"]) && !own["tool_calls"]) return [];
  const thoughts = partsOf(string(own["tool_plan"]) ? [{ type: "thinking", thinking: own["tool_plan"] }] : []);
  const parts = [...thoughts, ...partsOf(found["content"]), ...callsOf(found)];
  return noted(answered(parts), body["stop_reason"] ?? body["stopReason"] ?? body["finish_reason"]);
}

function pictures(body: Json): Message[] {
  const type = string(body["output_format"]) ? `image/${body["output_format"]}` : "";
  const drawn = [...objects(body["data"]), ...objects(body["predictions"])].flatMap((one): Part[] => {
    const bytes = one["b64_json"] ?? one["bytesBase64Encoded"];
    const revised: Part[] = one["revised_prompt"] ? [{ kind: "thinking", text: string(one["revised_prompt"]) }] : [];
    if (bytes) return [...revised, fromBytes(bytes, one["mimeType"] ?? type)];
    return one["url"] ? [...revised, fromUrl(one["url"])] : [];
  });
  return answered(drawn);
}

function vectors(body: Json): Message[] {
  const all = vectorsIn(body["data"] ?? body["embeddings"] ?? body["predictions"] ?? body["embedding"]);
  const [first] = all;
  if (!first) return [];
  return answered([{ kind: "vectors", count: all.length, dimensions: first.length, first: first.slice(0, 8) }]);
}

/** All lists of numbers, however deep they lie. */
function vectorsIn(value: unknown): number[][] {
  if (Array.isArray(value)) {
    return value.length && value.every((one) => typeof one === "number")
      ? [value as number[]]
      : value.flatMap(vectorsIn);
  }
  if (!isObject(value)) return [];
  return ["embedding", "embeddings", "values", "float", "int8"].flatMap((name) => vectorsIn(value[name]));
}

function ranking(body: Json): Message[] {
  const rows = objects(body["results"]).filter((one) => one["relevance_score"] !== undefined);
  if (!rows.length) return [];
  const shown = rows.map((row) => ({
    index: Number(row["index"]),
    score: Number(row["relevance_score"]),
    text: plainText(row["document"]),
  }));
  return answered([{ kind: "ranking", rows: shown }]);
}

function moderation(body: Json): Message[] {
  const flagged = objects(body["results"]).filter((one) => typeof one["flagged"] === "boolean");
  return answered(
    flagged.map((one) => ({
      kind: "json",
      title: one["flagged"] ? "Flagged" : "Not flagged",
      text: pretty(one["categories"]),
    })),
  );
}

function pages(body: Json): Message[] {
  return answered(objects(body["pages"]).flatMap((page) => partOf(page["markdown"])));
}

/** One text under one of many names: Cohere's older chat, Llama, Titan, transcriptions, what SDKs report. */
function text(body: Json): Message[] {
  const titan = [...objects(body["results"]), ...objects(body["outputs"]), ...objects(body["generations"])];
  const parts = [
    ...partOf(body["text"] ?? body["generation"] ?? body["completion"] ?? body["outputText"] ?? body["transcript"]),
    ...titan.flatMap((one) => partOf(one["outputText"] ?? one["text"])),
    ...callsOf(body),
  ];
  return noted(answered(parts), body["finish_reason"] ?? body["stop_reason"]);
}

function live(body: Json): Message[] {
  return answered(partsOf(within(within(body, "serverContent"), "modelTurn")["parts"]));
}

const READERS: readonly Reader[] = [
  choices,
  candidates,
  message,
  outputs,
  pictures,
  vectors,
  ranking,
  moderation,
  pages,
  live,
  text,
];

/** A stream of Gemini's that was kept as a list, or a list of vectors. */
function listed(body: unknown[]): Message[] {
  const found = list(body).flatMap(received);
  return found.length ? answered(found.flatMap(({ parts }) => parts)) : vectors({ data: body });
}

export function errorOf(body: unknown): string | undefined {
  if (Array.isArray(body)) return errorOf(body[0]);
  if (!isObject(body)) return undefined;
  const error = body["error"];
  if (typeof error === "string") return error;
  if (isObject(error)) return string(error["message"]) || pretty(error);
  const failed = body["message"] ?? body["detail"];
  return typeof failed === "string" && !body["role"] ? failed : undefined;
}
