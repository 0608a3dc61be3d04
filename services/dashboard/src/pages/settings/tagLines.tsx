/** Tags as they are typed: NAME=VALUE, one a line. */
import { Field } from "../../ui/Dialog";

export function TagLines(props: { name: string; label: string; hint: string; placeholder: string }) {
  return (
    <Field label={props.label} hint={`${props.hint}; one a line`}>
      <textarea name={props.name} rows={2} placeholder={props.placeholder} spellCheck={false} />
    </Field>
  );
}

/** By name. What is no NAME=VALUE, or names something twice, is named in the error. */
export function pairsOf(text: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const line of text.split("\n").filter((line) => line.trim())) {
    const at = line.indexOf("=");
    const name = line.slice(0, at).trim();
    if (at < 1 || !name || !line.slice(at + 1).trim()) throw new Error(`"${line.trim()}" is not NAME=VALUE`);
    if (name in pairs) throw new Error(`${name} has two values`);
    pairs[name] = line.slice(at + 1).trim();
  }
  return pairs;
}
