/** Total → feature → user → session → request: where a chip leads, and what lies above a page. */
import { chipText } from "./filter";
import type { Chip } from "./search";

/** A page, as the router takes it. */
export type Place =
  | { to: "/" }
  | { to: "/users" }
  | { to: "/sessions" }
  | { to: "/requests" }
  | { to: "/users/$userId"; params: { userId: string } }
  | { to: "/sessions/$sessionId"; params: { sessionId: string } };

/** By what a group is divided further; others keep what is chosen. */
const NEXT: Record<string, string> = {
  "@Environment": "@Feature",
  "@Feature": "user_id",
  "@UserTier": "user_id",
  model: "user_id",
};
const HAS_OWN_PAGE: readonly string[] = ["user_id", "session_id"];

export function nextBy(name: string): string | undefined {
  return NEXT[name];
}

/** Users and sessions have pages of their own; those who have no name have none. */
export function placeOf([name, operator, value]: Chip): Place | undefined {
  if (operator !== "equals" || !value) return undefined;
  if (name === "user_id") return { to: "/users/$userId", params: { userId: value } };
  if (name === "session_id") return { to: "/sessions/$sessionId", params: { sessionId: value } };
  return undefined;
}

/** The chips of a page that is about one user or session, with the one that says so last. */
export function chipsAt(chips: readonly Chip[] = [], name: string, value: string): Chip[] {
  return [...chips.filter((chip) => chip[0] !== name || chip[1] !== "equals"), [name, "equals", value]];
}

export interface Crumb {
  text: string;
  place: Place;
  chips: Chip[];
  by: string | undefined;
}

/** The way to a page: all spend, then a step for each chip. */
export function crumbsOf(chips: readonly Chip[] = []): Crumb[] {
  const steps = chips.map((chip, index): Crumb => {
    const own = chips.slice(0, index + 1);
    const page = own.findLast((one) => HAS_OWN_PAGE.includes(one[0]) && placeOf(one));
    return { text: chipText(chip), place: (page && placeOf(page)) ?? { to: "/" }, chips: own, by: nextBy(chip[0]) };
  });
  return [{ text: "All spend", place: { to: "/" }, chips: [], by: undefined }, ...steps];
}

/** What is above the page of a user, session or request: the one that it is part of, else the list that it is in. */
export function above(path: string, chips: readonly Chip[] = []): { place: Place; chips: Chip[] } {
  const without = (...names: string[]) => chips.filter(([name]) => !names.includes(name));
  const ofUser = chips.find((chip) => chip[0] === "user_id" && placeOf(chip));
  const ofSession = chips.find((chip) => chip[0] === "session_id" && placeOf(chip));
  if (path.startsWith("/users/")) return { place: { to: "/users" }, chips: without("user_id") };
  if (path.startsWith("/sessions/"))
    return { place: (ofUser && placeOf(ofUser)) ?? { to: "/sessions" }, chips: without("session_id", "session_name") };
  if (path.startsWith("/requests/") && ofSession)
    return { place: placeOf(ofSession) ?? { to: "/requests" }, chips: [...chips] };
  return { place: path.startsWith("/requests/") ? { to: "/requests" } : { to: "/" }, chips: [...chips] };
}
