import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorOf, type Message, type Part, received, sent } from "../pages/request/conversation";

const GOLDEN = join(import.meta.dirname, "../../../../tests/golden");
const PNG = "iVBORw0KGgo=";

interface Case {
  response?: unknown;
  stream?: string[];
  frames?: unknown[];
}

const CASES = readdirSync(join(GOLDEN, "providers")).map((file): [string, Case] => [
  file.replace(".json", ""),
  JSON.parse(readFileSync(join(GOLDEN, "providers", file), "utf8")),
]);
const ASSEMBLED = JSON.parse(readFileSync(join(GOLDEN, "assembled.json"), "utf8")) as Record<string, unknown>;

/** The golden cases that say nothing: without output, or sound as it is. */
const SILENT = new Set(["google_live_turn", "openai_realtime_cached_images", "openai_responses_background"]);

function bodyOf(name: string, { response, stream, frames }: Case): unknown {
  const lines = (frames ?? []).map((frame) => JSON.stringify(frame));
  return response ?? ASSEMBLED[name] ?? [...(stream ?? []), ...lines].join("\n");
}

const partsIn = (messages: Message[]): Part[] => messages.flatMap(({ parts }) => parts);
const textIn = (messages: Message[]): string =>
  partsIn(messages)
    .map((part) => ("text" in part ? part.text : ""))
    .join("");

describe("what came back", () => {
  const shown = CASES.filter(([name, one]) => !SILENT.has(name) && (one.response || one.stream || one.frames));

  it.each(shown)("is read from %s", (name, one) => {
    const body = bodyOf(name, one);
    const messages = received(body);
    expect(partsIn(messages).length || errorOf(body), name).toBeTruthy();
    expect(partsIn(messages).filter(({ kind }) => kind === "json" && !/moderation|compaction/.test(name))).toEqual([]);
  });

  it.each([
    ["anthropic_messages_stream_search", ["call", "text"]],
    ["openai_responses_image_generation", ["image", "text"]],
    ["openai_image", ["file"]],
    ["openai_image_stream", ["image"]],
    ["openai_embeddings", ["vectors"]],
    ["vertex_embeddings", ["vectors"]],
    ["cohere_rerank", ["ranking"]],
    ["google_generate_speech", ["audio"]],
    ["google_generate_grounded", ["text", "sources"]],
    ["openai_speech_stream", ["audio"]],
    ["google_interaction", ["thinking", "text"]],
  ])("has these parts in %s", (name, kinds) => {
    const [, one] = CASES.find(([each]) => each === name) ?? [];
    expect(partsIn(received(bodyOf(name, one ?? {}))).map(({ kind }) => kind)).toEqual(kinds);
  });

  it.each([
    ["bedrock_converse_stream", "Hello there"],
    ["cohere_chat_v1_stream", "Hi there"],
    ["openai_transcription_stream", "I see skies of blue"],
    ["mistral_conversation", "Hello."],
    ["mistral_ocr", "# Lynx"],
    ["cohere_chat", "Hi"],
    ["bedrock_invoke_llama", "\n\nHello!"],
    ["openai_batch_line", "2 + 2 equals 4."],
    ["anthropic_batch_line", "Hello again!"],
    ["vllm_chat_stream_two_choices", "Yes.No"],
  ])("says the same in %s", (name, text) => {
    const [, one] = CASES.find(([each]) => each === name) ?? [];
    expect(textIn(received(bodyOf(name, one ?? {})))).toBe(text);
  });

  it.each([
    [{ choices: [{ message: { content: "Hi" }, finish_reason: "length" }] }, /limit of output tokens/],
    [{ content: [{ type: "text", text: "Hi" }], stop_reason: "max_tokens" }, /limit of output tokens/],
    [{ candidates: [{ content: { parts: [{ text: "Hi" }] }, finishReason: "SAFETY" }] }, /content filter/],
    [{ choices: [{ message: { content: "Hi" }, finish_reason: "stop" }] }, undefined],
  ])("says why it ended early", (body, note) => {
    const [message] = received(body);
    if (note) expect(message?.note).toMatch(note);
    else expect(message?.note).toBeUndefined();
  });

  it.each<[unknown, Part[]]>([
    [{ choices: [{ message: { content: null, refusal: "No." } }] }, [{ kind: "refusal", text: "No." }]],
    [{ promptFeedback: { blockReason: "SAFETY" } }, [{ kind: "refusal", text: "The prompt was blocked: safety" }]],
    [
      { output: [{ type: "message", content: [{ type: "refusal", refusal: "No." }] }] },
      [{ kind: "refusal", text: "No." }],
    ],
    [
      { choices: [{ message: { content: "4", reasoning_content: "2 and 2" } }] },
      [
        { kind: "thinking", text: "2 and 2" },
        { kind: "text", text: "4" },
      ],
    ],
    [
      { output: [{ type: "reasoning", summary: [{ type: "summary_text", text: "Adding." }] }] },
      [{ kind: "thinking", text: "Adding." }],
    ],
    [
      { message: { tool_plan: "Look.", tool_calls: [{ function: { name: "find", arguments: "{}" } }] } },
      [
        { kind: "thinking", text: "Look." },
        { kind: "call", name: "find", input: "{}" },
      ],
    ],
    [{ data: [{ b64_json: PNG }] }, [{ kind: "image", source: `data:image/png;base64,${PNG}` }]],
    [{ data: [{ url: "https://a.example/x.png" }] }, [{ kind: "link", what: "image", url: "https://a.example/x.png" }]],
    [
      { choices: [{ message: { content: null, audio: { data: "SUQz", transcript: "Hi" } } }] },
      [{ kind: "audio", source: "data:audio/wav;base64,SUQz", transcript: "Hi" }],
    ],
  ])("shows refusals, thinking, plans and media", (body, parts) => {
    expect(partsIn(received(body))).toEqual(parts);
  });

  it("names the provider's error", () => {
    expect(errorOf({ error: { message: "No such model." } })).toBe("No such model.");
    expect(errorOf({ error: "busy" })).toBe("busy");
    expect(errorOf({ message: "Too many tokens" })).toBe("Too many tokens");
    expect(errorOf([{ error: { message: "Bad key" } }])).toBe("Bad key");
    expect(errorOf({ choices: [] })).toBeUndefined();
  });

  it("is nothing where the body is no response", () => {
    for (const body of [null, undefined, "", "binary", 3, [], {}, { choices: [] }]) expect(received(body)).toEqual([]);
  });
});

const ASKED = { role: "user", parts: [{ kind: "text", text: "Hello" }] };
const TOLD = { role: "system", parts: [{ kind: "text", text: "Be brief." }] };

describe("what was sent", () => {
  it.each<[string, unknown]>([
    [
      "OpenAI's chat",
      {
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello" },
        ],
      },
    ],
    [
      "OpenAI's responses",
      { instructions: "Be brief.", input: [{ role: "user", content: [{ type: "input_text", text: "Hello" }] }] },
    ],
    ["Anthropic", { system: [{ type: "text", text: "Be brief." }], messages: [{ role: "user", content: "Hello" }] }],
    [
      "Gemini",
      {
        systemInstruction: { parts: [{ text: "Be brief." }] },
        contents: [{ role: "user", parts: [{ text: "Hello" }] }],
      },
    ],
    ["Bedrock", { system: [{ text: "Be brief." }], messages: [{ role: "user", content: [{ text: "Hello" }] }] }],
    ["Cohere's older chat", { preamble: "Be brief.", message: "Hello" }],
    ["Mistral's conversations", { instructions: "Be brief.", inputs: "Hello" }],
  ])("to %s is the same conversation", (_name, body) => {
    expect(sent(body)).toEqual([TOLD, ASKED]);
  });

  it.each<[string, unknown, Part[]]>([
    [
      "embeddings",
      { input: ["one", "two"] },
      [
        { kind: "text", text: "one" },
        { kind: "text", text: "two" },
      ],
    ],
    ["Cohere's embeddings", { texts: ["one"] }, [{ kind: "text", text: "one" }]],
    ["Gemini's embeddings", { content: { parts: [{ text: "one" }] } }, [{ kind: "text", text: "one" }]],
    ["Vertex", { instances: [{ prompt: "A lynx" }] }, [{ kind: "text", text: "A lynx" }]],
    ["images", { prompt: "A lynx", model: "gpt-image-1" }, [{ kind: "text", text: "A lynx" }]],
    ["Titan", { inputText: "one" }, [{ kind: "text", text: "one" }]],
    [
      "pages to read",
      { document: { type: "document_url", document_url: "https://a.example/a.pdf" } },
      [{ kind: "link", what: "document", url: "https://a.example/a.pdf" }],
    ],
    [
      "reranking",
      { query: "lynx", documents: ["a", { text: "b" }] },
      [
        { kind: "text", text: "lynx" },
        { kind: "json", title: "2 documents", text: "a\n\nb" },
      ],
    ],
    [
      "an image of Anthropic",
      {
        messages: [
          {
            role: "user",
            content: [{ type: "image", source: { type: "base64", media_type: "image/png", data: PNG } }],
          },
        ],
      },
      [{ kind: "image", source: `data:image/png;base64,${PNG}` }],
    ],
    [
      "an image of Bedrock",
      { messages: [{ role: "user", content: [{ image: { format: "png", source: { bytes: PNG } } }] }] },
      [{ kind: "image", source: `data:image/png;base64,${PNG}` }],
    ],
    [
      "an image of Gemini",
      { contents: [{ parts: [{ inlineData: { mimeType: "image/png", data: PNG } }] }] },
      [{ kind: "image", source: `data:image/png;base64,${PNG}` }],
    ],
    [
      "an image that would run scripts",
      {
        messages: [
          { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/svg+xml;base64,PHN2Zz4=" } }] },
        ],
      },
      [{ kind: "file", name: "image/svg+xml, 0.0 KB" }],
    ],
  ])("to %s is shown", (_name, body, parts) => {
    expect(partsIn(sent(body))).toEqual(parts);
  });

  it.each<[string, unknown]>([
    ["OpenAI", { messages: [{ role: "tool", tool_call_id: "1", content: '{"sun":true}' }] }],
    [
      "Anthropic",
      { messages: [{ role: "user", content: [{ type: "tool_result", tool_use_id: "1", content: '{"sun":true}' }] }] },
    ],
    ["Gemini", { contents: [{ role: "user", parts: [{ functionResponse: { name: "", response: { sun: true } } }] }] }],
    ["Bedrock", { messages: [{ role: "user", content: [{ toolResult: { content: [{ json: { sun: true } }] } }] }] }],
    ["OpenAI's responses", { input: [{ type: "function_call_output", output: '{"sun":true}' }] }],
  ])("of a tool's result to %s is the same", (_name, body) => {
    expect(partsIn(sent(body))).toEqual([
      { kind: "result", name: "", text: '{\n  "sun": true\n}', isError: false, images: [] },
    ]);
  });

  it("keeps the turns of Cohere's older chat apart", () => {
    const history = [
      { role: "USER", message: "Hi" },
      { role: "CHATBOT", message: "Hello!" },
    ];
    expect(sent({ chat_history: history, message: "More" }).map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "user",
    ]);
  });
});
