/** What is below the fold waits until somebody comes near it. */
import { type RefCallback, useCallback, useRef, useState } from "react";

const MARGIN = "200px";

/** For the element that stands in its place; and whether that was near, which it stays. */
export function useNear(): [RefCallback<Element>, boolean] {
  const [isNear, setNear] = useState(false);
  const observer = useRef<IntersectionObserver>(undefined);
  const place = useCallback((element: Element | null) => {
    observer.current?.disconnect();
    if (!element) return;
    observer.current = new IntersectionObserver(
      (entries) => entries.some((one) => one.isIntersecting) && setNear(true),
      {
        rootMargin: MARGIN,
      },
    );
    observer.current.observe(element);
  }, []);
  return [place, isNear];
}
