/** j and k go through the tables of a page, and Enter opens what a row leads to; a list has keys of its own. */

const ROWS = "main tbody tr";
const LIST = "main [data-rows]";
const OPENS = "a, button";

/** The first link or button of each row that has one. */
function places(): HTMLElement[] {
  if (document.querySelector(LIST)) return [];
  return [...document.querySelectorAll(ROWS)].flatMap((row) => {
    const place = row.matches(OPENS) ? row : row.querySelector(OPENS);
    return place instanceof HTMLElement && place.offsetParent !== null ? [place] : [];
  });
}

/** Whether there was a row to go to; from nowhere it is the first one. */
export function stepRow(step: 1 | -1): boolean {
  const all = places();
  const row = document.activeElement?.closest(ROWS);
  const at = row ? all.findIndex((place) => row.contains(place)) : -1;
  const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return next !== undefined;
}

/** Whether a row was chosen, and no longer is. */
export function leaveRow(): boolean {
  const place = document.activeElement;
  if (!(place instanceof HTMLElement) || !place.closest(ROWS)) return false;
  place.blur();
  return true;
}
