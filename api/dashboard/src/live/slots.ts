/** Pageviews by slots of time, and which of them came only after their time had passed. */

import type { Counts } from "./frames";

export interface Bar {
  /** Epoch ms of its beginning. */
  at: number;
  count: number;
  /** How many of `count` arrived after the slot was over. */
  late: number;
}

/** How long after its end a slot still counts as on time: more than a commit usually takes. */
const GRACE_MS = 4_000;

export class Slots {
  #counts = new Map<number, number>();
  #onTime = new Map<number, number>();

  constructor(
    readonly widthMs: number,
    readonly length: number,
  ) {}

  replace(counts: Counts, now: number): void {
    this.#counts.clear();
    this.#put(counts);
    this.#closePassed(now);
  }

  change(counts: Counts, now: number): void {
    this.#closePassed(now);
    this.#put(counts);
  }

  /** All slots of the window that ends at `now`, oldest first. */
  bars(now: number): Bar[] {
    this.#closePassed(now);
    const last = Math.floor(now / this.widthMs);
    return Array.from({ length: this.length }, (_, index) => {
      const slot = last - this.length + 1 + index;
      const count = this.#counts.get(slot) ?? 0;
      const late = Math.max(0, count - (this.#onTime.get(slot) ?? count));
      return { at: slot * this.widthMs, count, late };
    });
  }

  #put(counts: Counts): void {
    for (const [key, count] of Object.entries(counts)) {
      if (count === null) this.#counts.delete(Number(key));
      else this.#counts.set(Number(key), count);
    }
  }

  /** Note what a slot held when its time had passed, before anything late is added to it. */
  #closePassed(now: number): void {
    const last = Math.floor((now - GRACE_MS) / this.widthMs) - 1;
    const first = Math.floor(now / this.widthMs) - this.length;
    for (const slot of this.#onTime.keys()) if (slot < first) this.#onTime.delete(slot);
    for (let slot = first; slot <= last; slot++) {
      if (!this.#onTime.has(slot)) this.#onTime.set(slot, this.#counts.get(slot) ?? 0);
    }
  }
}
