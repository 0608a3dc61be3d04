import css from "./cache.module.css";

/** What figures take for granted, in the server's words. */
export function Assumptions({ texts }: { texts: readonly string[] }) {
  return (
    <details className={css["assumptions"]}>
      <summary>What this takes for granted</summary>
      <ul>
        {texts.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </details>
  );
}
