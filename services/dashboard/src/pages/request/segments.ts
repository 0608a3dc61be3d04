/** Text as it was written, with its blocks of code apart. */
export interface Segment {
  text: string;
  /** The language of a block of code, '' where it names none; undefined for prose. */
  language?: string;
}

const FENCE = /^([ \t]*)```([\w+#.-]*)[^\n]*\n([\s\S]*?)(?:\n\1```[ \t]*$|$(?![\s\S]))/gm;

export function segmentsOf(text: string): Segment[] {
  const whole = asJson(text);
  if (whole !== undefined) return [{ text: whole, language: "json" }];
  const segments: Segment[] = [];
  let at = 0;
  for (const match of text.matchAll(FENCE)) {
    const before = text.slice(at, match.index).replace(/\n+$/, "");
    if (before.trim()) segments.push({ text: before });
    segments.push({ text: match[3] ?? "", language: match[2] ?? "" });
    at = match.index + match[0].length;
  }
  const rest = text.slice(at).replace(/^\n+/, "");
  if (rest.trim() || !segments.length) segments.push({ text: rest });
  return segments;
}

/** Structured output on lines of its own. */
function asJson(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return undefined;
  }
}

export interface Inline {
  text: string;
  style?: "code" | "strong";
}

/** Prose with what stands between single backticks, or between pairs of asterisks. */
export function inlineOf(text: string): Inline[] {
  return text
    .split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/)
    .filter(Boolean)
    .map((piece): Inline => {
      if (/^`[^`]+`$/.test(piece)) return { text: piece.slice(1, -1), style: "code" };
      return /^\*\*[^*]+\*\*$/.test(piece) ? { text: piece.slice(2, -2), style: "strong" } : { text: piece };
    });
}
