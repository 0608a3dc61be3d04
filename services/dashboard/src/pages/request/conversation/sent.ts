/** The body of a request as messages. */
import { fromUrl } from "./media";
import { isObject, type Json, list, type Message, objects, type Part, plainText, string, within } from "./message";
import { callsOf, citationsOf, partOf, partsOf, toolResult } from "./parts";

const ROLES: Record<string, string> = {
  model: "assistant",
  USER: "user",
  CHATBOT: "assistant",
  SYSTEM: "system",
  TOOL: "tool",
};

/** A message of whichever provider, or an item of OpenAI's responses. */
export function messageOf(value: unknown): Message[] {
  if (typeof value === "string") return value ? [{ role: "user", parts: partOf(value) }] : [];
  if (!isObject(value)) return [];
  const written = string(value["role"]);
  if (written === "tool" || written === "function") return [{ role: "tool", parts: [toolResult(value)] }];
  if (!written && typeof value["type"] === "string" && !value["parts"]) return item(value);
  const parts = [
    ...thoughtsOf(value),
    ...partsOf(value["content"] ?? value["parts"] ?? value["message"]),
    ...refusalOf(value),
    ...soundOf(value),
    ...objects(value["images"]).flatMap(partOf),
    ...citationsOf(value),
    ...callsOf(value),
  ];
  return [{ role: ROLES[written] ?? (written || "user"), parts }];
}

/** Of OpenAI's responses: a call, a result, reasoning. */
function item(value: Json): Message[] {
  const type = string(value["type"]);
  const isInput = /^(input_)?(text|image|image_url|input_\w+)$/.test(type);
  const role = /(_output|_result)$/.test(type) ? "tool" : isInput ? "user" : "assistant";
  return [{ role, parts: partOf(value) }];
}

function thoughtsOf(value: Json): Part[] {
  const text = value["reasoning_content"] ?? value["reasoning"] ?? value["tool_plan"];
  return typeof text === "string" && text ? [{ kind: "thinking", text }] : [];
}

function refusalOf(value: Json): Part[] {
  return typeof value["refusal"] === "string" && value["refusal"] ? [{ kind: "refusal", text: value["refusal"] }] : [];
}

function soundOf(value: Json): Part[] {
  const audio = within(value, "audio");
  if (!audio["data"] && !audio["transcript"]) return [];
  return partOf({ type: "input_audio", input_audio: audio });
}

const system = (value: unknown): Message[] => {
  const parts = partsOf(isObject(value) && value["parts"] ? value["parts"] : value);
  return parts.length ? [{ role: "system", parts }] : [];
};

const user = (...parts: Part[]): Message[] => (parts.length ? [{ role: "user", parts }] : []);

/** What was sent: chat messages, or whatever stands in their place. */
export function sent(body: unknown): Message[] {
  if (!isObject(body)) return [];
  const first = system(
    body["system"] ??
      body["instructions"] ??
      body["systemInstruction"] ??
      body["system_instruction"] ??
      body["preamble"],
  );
  return [...first, ...turnsOf(body)];
}

function turnsOf(body: Json): Message[] {
  if (Array.isArray(body["chat_history"]) || (typeof body["message"] === "string" && body["message"])) {
    return [...list(body["chat_history"]).flatMap(messageOf), ...messageOf(string(body["message"]))];
  }
  if (typeof body["query"] === "string" && Array.isArray(body["documents"])) {
    return [...messageOf(body["query"]), ...user(...documentsOf(body["documents"]))];
  }
  const turns = body["messages"] ?? body["contents"] ?? body["input"] ?? body["inputs"];
  if (Array.isArray(turns) && turns.every((turn) => typeof turn === "string")) return user(...turns.flatMap(partOf));
  if (isObject(turns)) return messageOf(turns);
  if (turns !== undefined) return Array.isArray(turns) ? turns.flatMap(messageOf) : messageOf(turns);
  return user(...promptOf(body));
}

function documentsOf(documents: readonly unknown[]): Part[] {
  return [{ kind: "json", title: `${documents.length} documents`, text: documents.map(plainText).join("\n\n") }];
}

/** Of what is no chat: completions, images, embeddings, speech, pages to read. */
function promptOf(body: Json): Part[] {
  const content = within(body, "content");
  if (content["parts"]) return partsOf(content["parts"]);
  if (body["requests"]) return objects(body["requests"]).flatMap((one) => partsOf(within(one, "content")["parts"]));
  if (body["instances"])
    return objects(body["instances"]).flatMap((one) => partsOf(one["prompt"] ?? one["content"] ?? one["text"] ?? one));
  if (body["document"]) return partsOf([body["document"]]);
  const images = ["image", "image_url", "file"].flatMap((name) =>
    typeof body[name] === "string" && body[name] ? [fromUrl(body[name], name)] : [],
  );
  return [...partsOf(body["prompt"] ?? body["inputText"] ?? body["texts"] ?? body["text"]), ...images];
}
