/** Streams that the server shows as they came: those of formats that it does not assemble. */
import { fromBytes } from "./media";
import { isObject, type Json, type Message, type Part, string, within } from "./message";

/** The objects in events, in lines, or between the frames of a binary stream. */
export function eventsOf(text: string): Json[] {
  return text.split("\n").flatMap((line) => {
    const data = line.replace(/^data:\s*/, "").trim();
    if (!data.startsWith("{")) return [];
    try {
      const event: unknown = JSON.parse(data);
      return isObject(event) ? [unwrapped(event)] : [];
    } catch {
      return [];
    }
  });
}

/** Bedrock's frames hold an event in Base64. */
function unwrapped(event: Json): Json {
  const bytes = string(event["bytes"]);
  if (!bytes) return event;
  try {
    const inner: unknown = JSON.parse(
      new TextDecoder().decode(Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))),
    );
    return isObject(inner) ? inner : event;
  } catch {
    return event;
  }
}

/** What the events add to the text: whichever of the known places it stands in. */
function textIn(event: Json): string {
  const delta = event["delta"];
  if (typeof delta === "string") return delta;
  const held = isObject(delta) ? delta : within(event, "contentBlockDelta")["delta"];
  const content = within(within(held, "message"), "content");
  const own = isObject(held) ? string(held["text"]) : "";
  const isText = /(^text-generation|message\.output\.delta)$/.test(
    string(event["event_type"]) || string(event["type"]),
  );
  return (
    own ||
    string(content["text"]) ||
    (isText ? string(event["text"]) || string(event["content"]) : "") ||
    string(event["outputText"]) ||
    string(event["transcript"]) ||
    string(event["generation"])
  );
}

function thoughtIn(event: Json): string {
  const delta = within(event, "delta");
  return (
    string(delta["thinking"]) ||
    string(within(delta, "reasoningContent")["text"]) ||
    string(within(within(delta, "message"), "content")["thinking"])
  );
}

export function streamed(text: string): Message[] {
  const events = eventsOf(text);
  const thought = events.map(thoughtIn).join("");
  const said = events.map(textIn).join("");
  const sound = events.flatMap((event) => (string(event["audio"]) ? string(event["audio"]) : []));
  const pictures = events.filter((event) => /\.completed$/.test(string(event["type"])) && event["b64_json"]);
  const parts: Part[] = [
    ...(thought ? [{ kind: "thinking", text: thought } as const] : []),
    ...(said ? [{ kind: "text", text: said } as const] : []),
    ...pictures.map((one) => fromBytes(one["b64_json"], "")),
    ...(sound.length ? [fromBytes(btoa(sound.map((one) => atob(one)).join("")), "audio/mpeg")] : []),
  ];
  return parts.length ? [{ role: "assistant", parts }] : [];
}
