/** A live connection that comes back by itself, drawn at most once per animation frame. */

import { ApiFault, makeLiveUrl } from "../api";
import type { Frame } from "./frames";
import { Model, type Picture } from "./model";

export type State = "connecting" | "live" | "waiting" | "ended" | "unknown";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const TICK_MS = 1_000;

/** Another attempt cannot help: the reader must sign in, or the site is not there. */
const FINAL: Record<string, State> = {
  unauthenticated: "ended",
  unknown_site: "unknown",
  forbidden: "unknown",
  not_found: "unknown",
};

export class Stream {
  state = $state<State>("connecting");
  picture = $state.raw<Picture | null>(null);

  #model = new Model();
  #socket: WebSocket | null = null;
  #drawing = 0;
  #retry = 0;
  #ticking = 0;
  #waitMs = FIRST_WAIT_MS;
  #stopped = false;

  constructor(readonly site: string) {}

  /** Connect; the returned function ends it. */
  start(): () => void {
    // Time passes without frames too: the charts move on each second.
    this.#ticking = window.setInterval(() => this.#draw(), TICK_MS);
    void this.#connect();
    return () => this.#stop();
  }

  async #connect(): Promise<void> {
    try {
      const url = await makeLiveUrl(this.site);
      if (!this.#stopped) this.#open(url);
    } catch (fault) {
      const final = fault instanceof ApiFault ? FINAL[fault.code] : undefined;
      if (final) this.state = final;
      else this.#connectLater();
    }
  }

  #open(url: string): void {
    const resume = this.#model.last === null ? "" : `&last=${this.#model.last}`;
    const socket = new WebSocket(url + resume);
    this.#socket = socket;
    socket.onopen = () => {
      this.state = "live";
      this.#waitMs = FIRST_WAIT_MS;
    };
    socket.onmessage = ({ data }) => {
      this.#model.apply(JSON.parse(data as string) as Frame);
      this.#draw();
    };
    socket.onclose = () => this.#connectLater();
  }

  #connectLater(): void {
    if (this.#stopped) return;
    this.state = "waiting";
    const jitter = 0.5 + Math.random();
    this.#retry = window.setTimeout(() => void this.#connect(), this.#waitMs * jitter);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  #draw(): void {
    if (this.#drawing || this.#model.last === null) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      this.picture = this.#model.picture();
    });
  }

  #stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#ticking);
    cancelAnimationFrame(this.#drawing);
    this.#socket?.close();
  }
}
