/** What a page puts into the bar in place of the controls of reports. */
import { type ReactNode, useEffect, useState } from "react";
import { createPortal } from "react-dom";

export const BAR_ID = "bar";

export function OwnBar({ children }: { children: ReactNode }) {
  const [bar, setBar] = useState<HTMLElement | null>(null);
  useEffect(() => setBar(document.getElementById(BAR_ID)), []);
  return bar && createPortal(children, bar);
}
