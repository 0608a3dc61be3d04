/** What is wider than a phone scrolls sideways, by finger and by key. */
import type { ReactNode } from "react";
import css from "./dialog.module.css";

export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll what is focused
    <section className={css["scroll"]} aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
