/** What to type to send the first request through the proxy. */

const PROXY_PORT = "8787";
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)$/;

interface Place {
  protocol: string;
  hostname: string;
}

/**
 * Where the proxy is, as the server says. It knows an address of its own machine only, where nothing else is set: then
 * the name by which this page was opened stands in its place.
 */
export function proxyUrl(known: string, page: Place): string {
  if (!known) return `${page.protocol}//${page.hostname}:${PROXY_PORT}`;
  const url = new URL(known);
  if (LOOPBACK.test(url.hostname) && !LOOPBACK.test(page.hostname)) url.hostname = page.hostname;
  return url.href.replace(/\/$/, "");
}

/** The end of a key tells keys apart, and is all that is shown of one unless somebody asks. */
export function masked(key: string): string {
  return `${key.slice(0, 11)}…${key.slice(-4)}`;
}

/** `key` as it stands in what is typed; without one a variable of the shell stands in its place. */
export function snippets(proxy: string, key: string): Record<string, string> {
  const shell = key || "$HELICONE_API_KEY";
  return {
    curl: `curl ${proxy}/oai/v1/chat/completions \\
  -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Helicone-Auth: Bearer ${shell}" \\
  -H "Helicone-User-Id: user-123" -H "Helicone-Property-Feature: chat" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]}'`,
    Python: `${key ? "" : "import os\n"}from openai import OpenAI

client = OpenAI(
    base_url="${proxy}/oai/v1",
    default_headers={"Helicone-Auth": ${key ? `"Bearer ${key}"` : "f\"Bearer {os.environ['HELICONE_API_KEY']}\""}},
)
client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Hello!"}],
    extra_headers={"Helicone-User-Id": "user-123", "Helicone-Property-Feature": "chat"},
)`,
    JavaScript: `import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "${proxy}/oai/v1",
  defaultHeaders: { "Helicone-Auth": ${key ? `"Bearer ${key}"` : `\`Bearer \${process.env.HELICONE_API_KEY}\``} },
});
await client.chat.completions.create(
  { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello!" }] },
  { headers: { "Helicone-User-Id": "user-123", "Helicone-Property-Feature": "chat" } },
);`,
  };
}
