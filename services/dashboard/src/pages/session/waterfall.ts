/** The requests of a session as lines below each other: the tree of their paths, along one axis of time. */
import type { RequestRow } from "../../api/requests";
import { sum } from "../../format/decimal";
import type { Maybe } from "../../format/format";

const PATH = "Helicone-Session-Path";

export interface Line {
  key: string;
  /** How deep it is in the tree; the first level is 0. */
  depth: number;
  /** The path's last part; of several requests at one path their number. */
  label: string;
  path: string;
  start: number;
  end: number;
  /** Of its request; of a path that stands for several, of all at and below it. Null: unknown. */
  cost: Maybe;
  unpriced: number;
  /** How many it stands for. */
  requests: number;
  /** Missing where it is a path that has not exactly one request. */
  request?: RequestRow;
}

interface Node {
  name: string;
  path: string;
  own: RequestRow[];
  below: Map<string, Node>;
}

const startOf = (row: RequestRow): number => Date.parse(row.request_created_at);
const endOf = (row: RequestRow): number => startOf(row) + Math.max(0, Number(row.delay_ms));

export function pathOf(row: RequestRow): string {
  return row.request_properties[PATH] ?? "";
}

/** Lines add up to the session: those with a request have its cost, and all others repeat what lines below them have. */
export function linesOf(rows: readonly RequestRow[]): Line[] {
  const root: Node = { name: "", path: "", own: [], below: new Map() };
  for (const row of [...rows].sort((one, other) => startOf(one) - startOf(other))) {
    let node = root;
    for (const name of pathOf(row).split("/").filter(Boolean)) {
      const next = node.below.get(name) ?? { name, path: `${node.path}/${name}`, own: [], below: new Map() };
      node.below.set(name, next);
      node = next;
    }
    node.own.push(row);
  }
  return [...root.own.map((row) => lineOf(row, 0, "/")), ...childrenOf(root, 0)];
}

function childrenOf(node: Node, depth: number): Line[] {
  return [...node.below.values()].flatMap((child) => nodeLines(child, depth, child.name));
}

function nodeLines(node: Node, depth: number, label: string): Line[] {
  const [only] = node.below.values();
  // A part of a path at which nothing was requested, with one way on, is no level of its own.
  if (!node.own.length && only && node.below.size === 1) return nodeLines(only, depth, `${label}/${only.name}`);
  const [first] = node.own;
  if (first && node.own.length === 1) return [lineOf(first, depth, label, node.path), ...childrenOf(node, depth + 1)];
  const own = node.own.map((row, index) => lineOf(row, depth + 1, `${index + 1}`, node.path));
  return [groupOf(node, depth, label), ...own, ...childrenOf(node, depth + 1)];
}

function lineOf(row: RequestRow, depth: number, label: string, path = "/"): Line {
  return {
    key: row.request_id,
    depth,
    label,
    path,
    start: startOf(row),
    end: endOf(row),
    cost: row.cost_usd,
    unpriced: row.cost_usd === null ? 1 : 0,
    requests: 1,
    request: row,
  };
}

function groupOf(node: Node, depth: number, label: string): Line {
  const all = requestsOf(node);
  const known = all.flatMap((row) => row.cost_usd ?? []);
  return {
    key: node.path,
    depth,
    label,
    path: node.path,
    start: Math.min(...all.map(startOf)),
    end: Math.max(...all.map(endOf)),
    cost: known.length ? sum(known) : null,
    unpriced: all.length - known.length,
    requests: all.length,
  };
}

function requestsOf(node: Node): RequestRow[] {
  return [...node.own, ...[...node.below.values()].flatMap(requestsOf)];
}

/** Milliseconds since the first request as places between 0 and 1. */
export interface Scale {
  placeOf: (timestamp: number) => number;
  /** Where the axis says a time, and how long after the first request that is. */
  ticks: { at: number; ms: number; isAfterBreak: boolean }[];
  /** Idle times that were cut, as places. */
  breaks: { from: number; to: number; ms: number }[];
}

interface Stretch {
  start: number;
  end: number;
}

const CUT = 0.06; // of the width, for an idle time that is cut
const SHORT_MS = 1000; // a session in which everything was at once has an axis all the same

/** A time in which nothing ran, longer than all in which something did, is cut: steps stay readable beside waiting. */
export function scaleOf(lines: readonly Stretch[]): Scale {
  const busy = mergedOf(lines);
  const [first] = busy;
  if (!first) return { placeOf: () => 0, ticks: [], breaks: [] };
  const worked = busy.reduce((all, { start, end }) => all + end - start, 0) || SHORT_MS;
  const parts: Stretch[] = [];
  for (const stretch of busy) {
    const last = parts.at(-1);
    if (last && stretch.start - last.end <= worked) last.end = stretch.end;
    else parts.push({ ...stretch });
  }
  const drawn = parts.reduce((all, { start, end }) => all + Math.max(end - start, worked / 50), 0);
  const free = 1 - CUT * (parts.length - 1);
  const places: { stretch: Stretch; from: number; to: number }[] = [];
  let at = 0;
  for (const stretch of parts) {
    const width = (Math.max(stretch.end - stretch.start, worked / 50) / drawn) * free;
    places.push({ stretch, from: at, to: at + width });
    at += width + CUT;
  }
  const placeOf = (timestamp: number): number => {
    const found = places.find(({ stretch }) => timestamp <= stretch.end) ?? places.at(-1);
    if (!found) return 0;
    const { stretch, from, to } = found;
    const share = (timestamp - stretch.start) / (stretch.end - stretch.start || 1);
    return from + Math.min(1, Math.max(0, share)) * (to - from);
  };
  const breaks = places.slice(1).map(({ from, stretch }, index) => ({
    from: places[index]?.to ?? 0,
    to: from,
    ms: stretch.start - (places[index]?.stretch.end ?? 0),
  }));
  const ticks = parts.length > 1 ? partTicks(places, first.start) : evenTicks(parts[0] ?? first, placeOf);
  return { placeOf, ticks, breaks };
}

function mergedOf(lines: readonly Stretch[]): Stretch[] {
  const merged: Stretch[] = [];
  for (const { start, end } of [...lines].sort((one, other) => one.start - other.start)) {
    const last = merged.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

const LEAST_APART = 0.2; // ticks nearer than this would run into each other

function partTicks(places: { stretch: Stretch; from: number }[], zero: number): Scale["ticks"] {
  const ticks: Scale["ticks"] = [];
  for (const { stretch, from } of places) {
    const last = ticks.at(-1);
    if (!last || from - last.at >= LEAST_APART)
      ticks.push({ at: from, ms: stretch.start - zero, isAfterBreak: ticks.length > 0 });
  }
  return ticks;
}

const NICE = [1, 2, 5];

/** Four to eight of them, at round times. */
function evenTicks({ start, end }: Stretch, placeOf: Scale["placeOf"]): Scale["ticks"] {
  const length = end - start || SHORT_MS;
  const sizes = Array.from({ length: 12 }, (_, power) => NICE.map((nice) => nice * 10 ** power)).flat();
  const minutes = [15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400].map((seconds) => seconds * 1000);
  const candidates = length > 30_000 ? minutes : sizes;
  const step = candidates.find((size) => length / size <= 6) ?? length;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, index) => ({
    at: placeOf(start + index * step),
    ms: index * step,
    isAfterBreak: false,
  }));
}

/** 0 s, 350 ms, 2.5 s, 4 min, 1 h 20 min. */
export function duration(ms: number): string {
  if (ms < 1000) return ms === 0 ? "0 s" : `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 >= 1 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}
