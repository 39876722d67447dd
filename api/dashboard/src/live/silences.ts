/** When which edge was silent, for as long as a chart can show it. */

import type { EdgeState } from "./frames";

export interface Silence {
  edge: string;
  /** Epoch ms. */
  from: number;
  /** Epoch ms; null while it lasts. */
  to: number | null;
}

const KEEP_MS = 35 * 60_000;

export class Silences {
  #all: Silence[] = [];

  note(edges: Record<string, EdgeState>, now: number): void {
    for (const [edge, { silent_since: since }] of Object.entries(edges)) {
      const open = this.#all.find((each) => each.edge === edge && each.to === null);
      if (since !== null && !open) this.#all.push({ edge, from: since, to: null });
      if (since === null && open) open.to = now;
    }
    for (const each of this.#all) if (!(each.edge in edges)) each.to ??= now;
    this.#all = this.#all.filter((each) => each.to === null || each.to > now - KEEP_MS);
  }

  list(): Silence[] {
    return this.#all.map((each) => ({ ...each }));
  }
}
