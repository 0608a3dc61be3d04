// As calls.py, for JavaScript: calls.mjs PROXY_URL FAREBOX_KEY
import { randomUUID } from "node:crypto";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const [proxy, key] = process.argv.slice(2);
const apiKey = "sk-provider-key";
const messages = [{ role: "user", content: "Hello!" }];

async function joined(parts, textOf) {
  let text = "";
  for await (const part of parts) text += textOf(part) ?? "";
  return text;
}

async function byAiSdk(model, stream) {
  const given = { model, prompt: "Hello!", maxRetries: 0 };
  if (!stream) return (await generateText(given)).text;
  return joined(streamText(given).textStream, (text) => text);
}

const calls = {
  async js_openai_chat(headers, stream) {
    const client = new OpenAI({ baseURL: `${proxy}/oai/v1`, apiKey, defaultHeaders: headers });
    const given = { model: "gpt-4o-mini", messages, stream };
    const response = await client.chat.completions.create(given);
    if (!stream) return response.choices[0].message.content;
    return joined(response, (chunk) => chunk.choices[0].delta.content);
  },
  async js_openai_responses(headers, stream) {
    const client = new OpenAI({ baseURL: `${proxy}/oai/v1`, apiKey, defaultHeaders: headers });
    const response = await client.responses.create({ model: "gpt-4o-mini", input: "Hello!", stream });
    if (!stream) return response.output_text;
    return joined(response, (event) => (event.type === "response.output_text.delta" ? event.delta : ""));
  },
  async js_anthropic(headers, stream) {
    const client = new Anthropic({ baseURL: `${proxy}/anthropic`, apiKey, defaultHeaders: headers });
    const given = { model: "claude-haiku-4-5", max_tokens: 300, messages };
    if (!stream) return (await client.messages.create(given)).content[0].text;
    return client.messages.stream(given).finalText();
  },
  async js_ai_sdk_openai(headers, stream) {
    return byAiSdk(createOpenAI({ baseURL: `${proxy}/oai/v1`, apiKey, headers })("gpt-4o-mini"), stream);
  },
  async js_ai_sdk_openai_chat(headers, stream) {
    return byAiSdk(createOpenAI({ baseURL: `${proxy}/oai/v1`, apiKey, headers }).chat("gpt-4o-mini"), stream);
  },
  async js_ai_sdk_anthropic(headers, stream) {
    const provider = createAnthropic({ baseURL: `${proxy}/anthropic/v1`, apiKey, headers });
    return byAiSdk(provider("claude-haiku-4-5"), stream);
  },
};

for (const [sdk, call] of Object.entries(calls)) {
  for (const stream of [false, true]) {
    const request_id = randomUUID();
    const headers = {
      "Helicone-Auth": `Bearer ${key}`,
      "Helicone-Request-Id": request_id,
      "Helicone-Property-Sdk": sdk,
    };
    const called = { sdk, stream, request_id, text: "", error: "" };
    try {
      called.text = await call(headers, stream);
    } catch (error) {
      called.error = String(error.stack ?? error).slice(0, 2000);
    }
    console.log(JSON.stringify(called));
  }
}
