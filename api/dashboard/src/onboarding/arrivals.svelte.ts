/** What arrives for a site, asked again and again while somebody looks. */

import { ApiFault } from "../api";
import { session } from "../session.svelte";
import { type Arrivals, readArrivals } from "./api";

const EVERY_MS = 1_500;

export class ArrivalsWatch {
  latest = $state.raw<Arrivals | null>(null);
  /** Of the last question, or null. */
  fault = $state.raw<unknown>(null);
  #timer = 0;
  #running = false;

  constructor(readonly site: string) {}

  /** Returns how to end it. */
  start(): () => void {
    this.#running = true;
    void this.#look();
    return () => {
      this.#running = false;
      clearTimeout(this.#timer);
    };
  }

  async #look(): Promise<void> {
    if (!document.hidden || this.latest === null) await this.#ask();
    if (this.#running) this.#timer = setTimeout(() => void this.#look(), EVERY_MS);
  }

  async #ask(): Promise<void> {
    try {
      this.latest = await readArrivals(this.site);
      this.fault = null;
    } catch (fault) {
      this.fault = fault;
      if (fault instanceof ApiFault && fault.code === "unauthenticated") session.end();
    }
  }
}
