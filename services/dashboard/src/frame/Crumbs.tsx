/** The way into a group, a user, a session or a request, and back out of it. */
import { Link, useSearch } from "@tanstack/react-router";
import { chipsAt, crumbsOf } from "../state/drill";
import type { Search } from "../state/search";
import css from "./crumbs.module.css";

const PAGES = [
  [/^\/users\/(.+)$/, "user_id"],
  [/^\/sessions\/(.+)$/, "session_id"],
] as const;
const REQUEST = /^\/requests\/(.+)$/;

export function Crumbs({ path }: { path: string }) {
  const { filter = [] } = useSearch({ strict: false }) as Search;
  const page = PAGES.map(([pattern, name]) => [name, pattern.exec(path)?.[1]] as const).find(([, id]) => id);
  const chips = page?.[1] ? chipsAt(filter, page[0], decodeURIComponent(page[1])) : filter;
  const request = REQUEST.exec(path)?.[1];
  if (!chips.length) return null;
  const crumbs = crumbsOf(chips);
  return (
    <nav className={css["crumbs"]} aria-label="Breadcrumb">
      <ol>
        {crumbs.map(({ text, place, chips: own, by }, index) => (
          <li key={JSON.stringify(own)}>
            {index === crumbs.length - 1 && !request ? (
              <strong aria-current="page">{text}</strong>
            ) : (
              <Link
                {...place}
                search={({ filter: _, by: __, ...old }: Search) => ({
                  ...old,
                  ...(own.length ? { filter: own } : {}),
                  ...(by ? { by } : {}),
                })}
              >
                {text}
              </Link>
            )}
          </li>
        ))}
        {request && (
          <li>
            <strong aria-current="page">request</strong>
          </li>
        )}
      </ol>
    </nav>
  );
}
