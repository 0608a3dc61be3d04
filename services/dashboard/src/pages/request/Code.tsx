import css from "./request.module.css";

/** Scrolled by key where it is longer than what is shown of it. */
export function Code({ text, language }: { text: string; language?: string | undefined }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what is scrolled needs the focus
    <pre className={css["code"]} data-language={language || undefined} tabIndex={0}>
      {text}
    </pre>
  );
}
