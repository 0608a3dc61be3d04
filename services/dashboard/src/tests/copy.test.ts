import { afterEach, expect, it, vi } from "vitest";
import { copyText } from "../ui/CopyButton";

afterEach(() => vi.unstubAllGlobals());

/** A page as it stands in browsers: with or without a clipboard, and with what its old way of copying says. */
function page(clipboard: ((text: string) => Promise<void>) | undefined, execCommand: (() => boolean) | undefined) {
  const fields: { value: string; isGone: boolean }[] = [];
  const createElement = () => {
    const field = { value: "", isGone: false };
    fields.push(field);
    return Object.assign(field, { style: {}, select: vi.fn(), remove: () => Object.assign(field, { isGone: true }) });
  };
  const dialog = { append: vi.fn() };
  const body = { append: vi.fn() };
  class Element {
    focus = vi.fn();
  }
  const activeElement = new Element();
  vi.stubGlobal("HTMLElement", Element);
  vi.stubGlobal("navigator", { clipboard: clipboard && { writeText: clipboard } });
  vi.stubGlobal("document", { createElement, querySelector: () => dialog, body, activeElement, execCommand });
  return { fields, dialog, body, activeElement };
}

const taken = () => Promise.resolve();
const refused = () => Promise.reject(new Error("not allowed"));

const copies = (): boolean => true;
const fails = (): boolean => false;

it.each([
  ["by the clipboard", taken, undefined, true, 0],
  ["by a field where there is no clipboard", undefined, copies, true, 1],
  ["by a field where the clipboard refuses", refused, copies, true, 1],
  ["not where the field is refused too", refused, fails, false, 1],
  ["not where the browser knows neither", undefined, undefined, false, 1],
] as const)("copies %s", async (_, clipboard, execCommand, isCopied, fields) => {
  const shown = page(clipboard, execCommand);
  expect(await copyText("farebox")).toBe(isCopied);
  expect(shown.fields).toHaveLength(fields);
  expect(shown.fields.every(({ value, isGone }) => value === "farebox" && isGone)).toBe(true);
});

it("selects within the open dialog, beside which nothing can be, and gives the focus back", async () => {
  const shown = page(undefined, copies);
  await copyText("farebox");
  expect(shown.dialog.append).toHaveBeenCalledOnce();
  expect(shown.body.append).not.toHaveBeenCalled();
  expect(shown.activeElement.focus).toHaveBeenCalledOnce();
});
