/** One part of a message, recognised by what it is called or by what it holds. */
import { audioOf, fromBedrock, fromBytes, fromSource, fromUrl } from "./media";
import { isObject, type Json, list, objects, type Part, plainText, pretty, string, within } from "./message";

type Reader = (value: Json) => Part[];

const call = (name: unknown, input: unknown): Part => ({
  kind: "call",
  name: string(name) || "a tool",
  input: pretty(input),
});

function result(name: unknown, content: unknown, isError = false): Part {
  const parts = Array.isArray(content) ? content.flatMap(partOf) : [];
  const images = parts.flatMap((part) => (part.kind === "image" ? part.source : []));
  const others = images.length
    ? list(content).filter((part) => partOf(part).every(({ kind }) => kind !== "image"))
    : content;
  return { kind: "result", name: string(name), text: prettyText(plainText(others)), isError, images };
}

/** JSON within text on lines of its own; other text as it is. */
function prettyText(text: string): string {
  return /^\s*[[{]/.test(text) ? pretty(text) : text;
}

const textOf = (text: unknown): Part[] => (string(text) ? [{ kind: "text", text: string(text) }] : []);

function thinking(text: unknown): Part[] {
  return [{ kind: "thinking", text: plainText(text) }];
}

function searchResults(value: Json): Part[] {
  const items = objects(value["content"]).filter((one) => one["url"]);
  if (!items.length) return [result(string(value["type"]).replace("_tool_result", ""), value["content"])];
  return [{ kind: "sources", items: items.map((one) => ({ title: string(one["title"]), url: string(one["url"]) })) }];
}

/** By `type`: OpenAI's chat and responses, Anthropic's, Cohere's and Mistral's. */
const BY_TYPE: Record<string, Reader> = {
  text: (value) => [...textOf(value["text"]), ...citationsOf(value)],
  input_text: (value) => textOf(value["text"]),
  output_text: (value) => [...textOf(value["text"]), ...citationsOf(value)],
  output_audio: (value) => textOf(value["transcript"]), // of a realtime session, whose sound is not kept
  refusal: (value) => [{ kind: "refusal", text: string(value["refusal"]) }],
  thinking: (value) => thinking(value["thinking"]),
  redacted_thinking: () => thinking(""),
  thought: (value) => thinking(value["summary"] ?? value["text"] ?? ""),
  reasoning: (value) => thinking(list(value["summary"]).length ? value["summary"] : (value["content"] ?? "")),
  compaction: (value) => [{ kind: "json", title: "Compaction", text: plainText(value["content"] ?? value["summary"]) }],
  image: (value) => (value["data"] ? [fromBytes(value["data"], value["mime_type"])] : fromSource(value, "image")),
  document: (value) =>
    typeof value["document"] === "object"
      ? textOf(plainText(within(value, "document")["data"]))
      : fromSource(value, "document"),
  image_url: (value) => [fromUrl(value["image_url"])],
  input_image: (value) => [fromUrl(value["image_url"] ?? value["file_id"])],
  document_url: (value) => [fromUrl(value["document_url"], "document")],
  input_audio: (value) => [
    typeof value["input_audio"] === "string"
      ? fromUrl(value["input_audio"], "audio")
      : audioOf(within(value, "input_audio"), "wav"),
  ],
  audio_url: (value) => [fromUrl(value["audio_url"], "audio")],
  video_url: (value) => [fromUrl(value["video_url"], "video")],
  file: (value) => [fileOf(within(value, "file"))],
  input_file: (value) => [fileOf(value)],
  tool_use: (value) => [call(value["name"], value["input"])],
  server_tool_use: (value) => [call(value["name"], value["input"])],
  mcp_tool_use: (value) => [call(value["name"], value["input"])],
  tool_result: (value) => [result("", value["content"], value["is_error"] === true)],
  mcp_tool_result: (value) => [result("", value["content"], value["is_error"] === true)],
  function_call: (value) => [call(value["name"], value["arguments"])],
  custom_tool_call: (value) => [call(value["name"], value["input"])],
  mcp_call: (value) => [
    call(value["name"], value["arguments"]),
    ...(value["output"] ? [result(value["name"], value["output"])] : []),
  ],
  function: (value) => [call(within(value, "function")["name"], within(value, "function")["arguments"])],
  code_interpreter_call: (value) => [
    call("code interpreter", value["code"]),
    ...objects(value["outputs"]).map((one) => result("", one["logs"] ?? one["url"])),
  ],
  image_generation_call: (value) =>
    value["result"]
      ? [fromBytes(value["result"], `image/${string(value["output_format"]) || "png"}`)]
      : [call("image generation", value["error"] ?? { status: value["status"] })],
  web_search_tool_result: searchResults,
  "tool.execution": (value) => [call(value["name"], value["arguments"])],
  "message.output": (value) => partsOf(value["content"]),
};

/** By the one name that the part holds: Gemini's and Bedrock's. */
const BY_NAME: Record<string, (held: Json, value: unknown) => Part[]> = {
  inlineData: (held) => [fromBytes(held["data"], held["mimeType"])],
  inline_data: (held) => [fromBytes(held["data"], held["mime_type"])],
  fileData: (held) => [fromUrl(held["fileUri"], "file")],
  file_data: (held) => [fromUrl(held["file_uri"], "file")],
  functionCall: (held) => [call(held["name"], held["args"])],
  functionResponse: (held) => [result(held["name"], [held["response"]])],
  executableCode: (held) => [call("code", held["code"])],
  codeExecutionResult: (held) => [result("code", held["output"])],
  toolUse: (held) => [call(held["name"], held["input"])],
  toolResult: (held) => {
    const content = objects(held["content"]).map((one) => one["json"] ?? one);
    return [result("", content, held["status"] === "error")];
  },
  reasoningContent: (held) => thinking(within(held, "reasoningText")["text"] ?? ""),
  image: (held) => [fromBedrock(held, "image")],
  video: (held) => [fromBedrock(held, "video")],
  document: (held) => [fromBedrock(held, "document")],
  cachePoint: () => [],
  thinking: (_held, value) => thinking(value),
  refusal: (_held, value) => [{ kind: "refusal", text: string(value) }],
};

function fileOf(file: Json): Part {
  const url = file["file_url"] ?? file["file_data"];
  const named = string(file["filename"]) || string(file["file_id"]);
  return named ? { kind: "file", name: named } : fromUrl(url, "file");
}

/** What a text refers to, at the end of it. */
export function citationsOf(value: Json): Part[] {
  const found = [...objects(value["annotations"]), ...objects(value["citations"])].map((one) =>
    isObject(one["url_citation"]) ? one["url_citation"] : one,
  );
  const items = found.flatMap((one) => (one["url"] ? { title: string(one["title"]), url: string(one["url"]) } : []));
  return items.length ? [{ kind: "sources", items: unique(items) }] : [];
}

export function unique(items: { title: string; url: string }[]): { title: string; url: string }[] {
  return [...new Map(items.map((item) => [item.url, item])).values()];
}

export function partOf(value: unknown): Part[] {
  if (typeof value === "string") return textOf(value);
  if (!isObject(value)) return [];
  const type = string(value["type"]);
  const reader = BY_TYPE[type];
  if (reader) return reader(value);
  if (/_tool_result$/.test(type)) return [result(type.replace("_tool_result", ""), [value["content"]])];
  if (/(_output|_call_output)$/.test(type)) return [result(string(value["name"]), value["output"])];
  if (/_call$/.test(type)) {
    const { type: _type, id: _id, status: _status, ...rest } = value;
    return [call(type.replace("_call", "").replaceAll("_", " "), value["action"] ?? rest)];
  }
  const name = Object.keys(BY_NAME).find((key) => value[key] !== undefined && value[key] !== null);
  if (name) return BY_NAME[name]?.(within(value, name), value[name]) ?? [];
  if (typeof value["text"] === "string")
    return value["thought"] === true ? thinking(value["text"]) : textOf(value["text"]);
  return Object.keys(value).length ? [{ kind: "json", title: type || "Part", text: pretty(value) }] : [];
}

export function partsOf(content: unknown): Part[] {
  return Array.isArray(content) ? content.flatMap(partOf) : partOf(content);
}

/** Calls beside the content of a message: OpenAI's, Cohere's and those of older functions. */
export function callsOf(message: Json): Part[] {
  const calls = objects(message["tool_calls"]).map((one) => {
    const called = within(one, "function", "custom");
    return call(
      called["name"] ?? one["name"],
      called["arguments"] ?? called["input"] ?? one["parameters"] ?? one["args"],
    );
  });
  const old = within(message, "function_call");
  return old["name"] ? [...calls, call(old["name"], old["arguments"])] : calls;
}

export function toolResult(message: Json): Part {
  return result(message["name"], message["content"]);
}
