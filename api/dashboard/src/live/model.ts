/** What the frames so far say of a site. Applying a frame is cheap; drawing asks for a picture. */

import type { Counts, Delta, EdgeState, FeedEvent, Frame, Snapshot, View } from "./frames";
import { type OpenPart, openPart } from "./open";
import { type Bar, Slots } from "./slots";

export interface Entry {
  key: string;
  count: number;
}

export interface Picture {
  /** Nothing has come in the whole window, not even a bot. */
  empty: boolean;
  /** So much comes that movement would tell nothing, and cost the browser every frame. */
  busy: boolean;
  /** Epoch ms by the server's clock. */
  now: number;
  here: number;
  minutes: Bar[];
  moments: Bar[];
  pages: Entry[];
  sources: Entry[];
  countries: Entry[];
  edges: [string, EdgeState][];
  /** Null where no edge is waited for. */
  open: OpenPart | null;
  feed: readonly FeedEvent[];
}

const FEED_LENGTH = 100;
const MINUTE_MS = 60_000;
const MOMENT_MS = 5_000;
/** Pageviews in a moment. */
const BUSY = 100;

type Ranking = "pages" | "sources" | "countries";
const RANKINGS: readonly Ranking[] = ["pages", "sources", "countries"];

export class Model {
  /** The commit to resume from. */
  last: number | null = null;
  #here = 0;
  #minutes = new Slots(MINUTE_MS, 30);
  #moments = new Slots(MOMENT_MS, 60);
  #rankings: Record<Ranking, Record<string, number>> = { pages: {}, sources: {}, countries: {} };
  #edges: Record<string, EdgeState> = {};
  #finalUntil: number | null = null;
  #feed: readonly FeedEvent[] = [];
  #behindMs = 0;

  apply(frame: Frame): void {
    if (frame.type === "resync") return;
    this.last = frame.id;
    this.#behindMs = frame.at - Date.now();
    this.#finalUntil = frame.final_until ?? null;
    if (frame.type === "snapshot") this.#start(frame);
    else this.#change(frame);
  }

  picture(): Picture {
    const now = Date.now() + this.#behindMs;
    const minutes = this.#minutes.bars(now);
    const moments = this.#moments.bars(now);
    return {
      empty: !this.#here && !this.#feed.length && minutes.every(({ count }) => !count),
      busy: moments.slice(-3).some(({ count }) => count >= BUSY),
      now,
      here: this.#here,
      minutes,
      moments,
      pages: entries(this.#rankings.pages),
      sources: entries(this.#rankings.sources),
      countries: entries(this.#rankings.countries),
      edges: Object.entries(this.#edges),
      open: openPart(this.#edges, this.#finalUntil, now),
      feed: this.#feed,
    };
  }

  #start({ view, feed, at }: Snapshot): void {
    this.#here = view.here ?? 0;
    this.#minutes.replace(view.minutes ?? {}, at);
    this.#moments.replace(view.moments ?? {}, at);
    for (const name of RANKINGS) this.#rankings[name] = merge({}, view[name]);
    this.#edges = merge({}, view.edges);
    this.#feed = feed.slice(0, FEED_LENGTH);
  }

  #change({ view, at, feed = [], gone = [] }: Delta): void {
    this.#here = view.here ?? this.#here;
    this.#changeCounts(view, at);
    this.#edges = merge(this.#edges, view.edges);
    if (feed.length || gone.length) this.#changeFeed(feed, gone);
  }

  #changeCounts(view: View, at: number): void {
    this.#minutes.change(view.minutes ?? {}, at);
    this.#moments.change(view.moments ?? {}, at);
    for (const name of RANKINGS) {
      this.#rankings[name] = merge(this.#rankings[name], view[name] as Counts | undefined);
    }
  }

  /** A resumed connection may repeat events: they are told apart by their ids. */
  #changeFeed(feed: FeedEvent[], gone: string[]): void {
    const out = new Set([...gone, ...feed.map((event) => event.id)]);
    const kept = this.#feed.filter((event) => !out.has(event.id));
    this.#feed = [...feed, ...kept].slice(0, FEED_LENGTH);
  }
}

/** Absolute values over what was there; null takes a key away. */
function merge<T>(
  before: Record<string, T>,
  changed: Record<string, T | null> | undefined,
): Record<string, T> {
  if (!changed) return before;
  const after = { ...before };
  for (const [key, value] of Object.entries(changed)) {
    if (value === null) delete after[key];
    else after[key] = value;
  }
  return after;
}

/** Largest first; ties by code point, as the server's own order. */
function entries(counts: Record<string, number>): Entry[] {
  return Object.entries(counts)
    .map(([key, count]) => ({ key, count }))
    .sort((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1));
}
