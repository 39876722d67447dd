/** A live connection that comes back by itself, drawn a few times a second at most. */

import { ApiFault, makeLiveUrl } from "../api";
import type { Frame } from "./frames";
import { Model, type Picture } from "./model";

export type State = "connecting" | "live" | "waiting" | "ended" | "unknown";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const TICK_MS = 1_000;
/** Between two pictures: frames of a busy site come faster than anyone reads. */
const APART_MS = 250;
/** The gateway sends a frame every 5 s at least; a line that is silent for longer is dead, though
    the browser may not know it for minutes: a hung gateway, a black hole, a laptop that slept. */
const DEAD_AFTER_MS = 15_000;

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
  /** Epoch ms of the last frame; null before the first. */
  heardAt = $state.raw<number | null>(null);
  /** Attempts in a row that led to no frame. */
  failures = $state.raw(0);

  #model = new Model();
  #socket: WebSocket | null = null;
  #drawing = 0;
  #waiting = 0;
  #drawnAt = -Infinity;
  #retry = 0;
  #ticking = 0;
  #waitMs = FIRST_WAIT_MS;
  /** Epoch ms of the last sign of life. The wall clock, because it runs on while a laptop sleeps. */
  #aliveAt = 0;
  #stopped = false;

  constructor(readonly site: string) {}

  /** Connect; the returned function ends it. */
  start(): () => void {
    this.#ticking = window.setInterval(() => this.#tick(), TICK_MS);
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
    this.#aliveAt = Date.now();
    socket.onopen = () => this.#live();
    socket.onmessage = ({ data }) => {
      this.#live();
      this.heardAt = this.#aliveAt;
      this.failures = 0;
      this.#model.apply(JSON.parse(data as string) as Frame);
      this.#draw();
    };
    socket.onclose = () => this.#connectLater();
  }

  #live(): void {
    this.#aliveAt = Date.now();
    this.state = "live";
    this.#waitMs = FIRST_WAIT_MS;
  }

  #tick(): void {
    if (this.#socket && Date.now() - this.#aliveAt > DEAD_AFTER_MS) this.#connectLater();
    // Time passes without frames too: the charts move on.
    this.#draw();
  }

  #connectLater(): void {
    if (this.#stopped) return;
    this.#drop();
    this.state = "waiting";
    this.failures += 1;
    const jitter = 0.5 + Math.random();
    this.#retry = window.setTimeout(() => void this.#connect(), this.#waitMs * jitter);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  /** Let go of the socket; a dead one would say so only much later, and is not listened to. */
  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #draw(): void {
    if (this.#waiting || this.#model.last === null) return;
    const waitMs = Math.max(0, this.#drawnAt + APART_MS - performance.now());
    this.#waiting = window.setTimeout(() => {
      this.#drawing = requestAnimationFrame((at) => {
        this.#waiting = 0;
        this.#drawnAt = at;
        this.picture = this.#model.picture();
      });
    }, waitMs);
  }

  #stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#ticking);
    clearTimeout(this.#waiting);
    cancelAnimationFrame(this.#drawing);
    this.#drop();
  }
}
