/** Images, sound and files in a body: what is in it is shown, what lies elsewhere is a link. */
import { isObject, type Json, type Part, string, within } from "./message";

const SHOWN = /^data:image\/(png|jpe?g|gif|webp);base64,/;
const HEARD = /^data:audio\/[\w.+-]+;base64,/;
const STARTS: readonly (readonly [string, string])[] = [
  ["iVBOR", "image/png"],
  ["/9j/", "image/jpeg"],
  ["R0lGOD", "image/gif"],
  ["UklGR", "image/webp"],
];
const BASE64_CHARACTERS_A_BYTE = 4 / 3;

/** Of an address, be it in the body or elsewhere. */
export function fromUrl(url: unknown, what = "image"): Part {
  const text = string(url) || string(isObject(url) ? url["url"] : "");
  if (SHOWN.test(text)) return { kind: "image", source: text };
  if (HEARD.test(text)) return { kind: "audio", source: text, transcript: "" };
  if (/^https?:\/\//.test(text)) return { kind: "link", what, url: text };
  const type = /^data:([^;,]*)/.exec(text)?.[1];
  return { kind: "file", name: type ? fileName(type, text.length) : `${what} ${text.slice(0, 200)}`.trim() };
}

/** Of bytes in Base64, whose type may not be given. */
export function fromBytes(data: unknown, type: unknown): Part {
  const bytes = string(data);
  const media = string(type) || (STARTS.find(([start]) => bytes.startsWith(start))?.[1] ?? "");
  if (media.startsWith("audio/L16") || media === "audio/pcm16") {
    return { kind: "audio", source: waveOf(bytes, Number(/rate=(\d+)/.exec(media)?.[1] ?? 24_000)), transcript: "" };
  }
  const kind = /^(image|audio|video)\//.exec(media)?.[1];
  const source = `data:${media.split(";")[0]};base64,${bytes}`;
  if (kind === "image" && SHOWN.test(source)) return { kind: "image", source };
  if (kind === "audio") return { kind: "audio", source, transcript: "" };
  if (kind === "video") return { kind: "video", source };
  return { kind: "file", name: fileName(media || "binary data", bytes.length) };
}

function fileName(type: string, characters: number): string {
  const kilobytes = characters / BASE64_CHARACTERS_A_BYTE / 1024;
  return `${type}, ${kilobytes < 10 ? kilobytes.toFixed(1) : Math.round(kilobytes)} KB`;
}

/** Samples of 16 bits as browsers play them: behind the head of a WAV file. */
function waveOf(samples: string, rate: number): string {
  const size = atob(samples).length;
  const head = new DataView(new ArrayBuffer(44));
  const write = (at: number, text: string) =>
    new TextEncoder().encode(text).forEach((one, index) => {
      head.setUint8(at + index, one);
    });
  write(0, "RIFF");
  head.setUint32(4, 36 + size, true);
  write(8, "WAVEfmt ");
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, 1, true);
  head.setUint32(24, rate, true);
  head.setUint32(28, rate * 2, true);
  head.setUint16(32, 2, true);
  head.setUint16(34, 16, true);
  write(36, "data");
  head.setUint32(40, size, true);
  return `data:audio/wav;base64,${btoa(String.fromCharCode(...new Uint8Array(head.buffer)) + atob(samples))}`;
}

const AUDIO_TYPES: Record<string, string> = { mp3: "audio/mpeg", pcm16: "audio/pcm16", opus: "audio/ogg" };

/** OpenAI's, with what is said in it. */
export function audioOf(audio: Json, format: unknown): Part {
  const transcript = string(audio["transcript"]);
  if (!string(audio["data"])) return { kind: "audio", source: "", transcript };
  const named = string(audio["format"]) || string(format) || "wav";
  const found = fromBytes(audio["data"], AUDIO_TYPES[named] ?? `audio/${named}`);
  return found.kind === "audio" ? { ...found, transcript } : found;
}

/** Anthropic's image or document, by its `source`. */
export function fromSource(value: Json, what: string): Part[] {
  const source = within(value, "source");
  if (source["type"] === "base64" || source["data"]) {
    if (source["type"] === "text") return [{ kind: "text", text: string(source["data"]) }];
    const found = fromBytes(source["data"], source["media_type"]);
    return [
      found.kind === "file" && value["title"] ? { kind: "file", name: `${value["title"]}, ${found.name}` } : found,
    ];
  }
  if (source["url"]) return [fromUrl(source["url"], what)];
  return [{ kind: "file", name: string(source["file_id"]) || string(value["title"]) || what }];
}

/** Bedrock's, whose bytes have a format instead of a media type. */
export function fromBedrock(value: Json, what: string): Part {
  const source = within(value, "source");
  const format = string(value["format"]);
  if (source["bytes"]) return fromBytes(source["bytes"], what === "document" ? format : `${what}/${format}`);
  return { kind: "file", name: string(within(source, "s3Location")["uri"]) || string(value["name"]) || what };
}
