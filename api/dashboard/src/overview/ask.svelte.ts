/** One question of a component, asked anew whenever it changes. */

import { ApiFault } from "../api";
import { session } from "../session.svelte";
import type { Answer, Question } from "./questions";
import { askTogether } from "./together";

/** `answer` is that of the question before while `loading`; null before the first. */
export interface Asked<T> {
  readonly answer: T | null;
  readonly loading: boolean;
  /** Why there is no answer to the present question. */
  readonly fault: unknown;
  again(): void;
}

let refreshes = $state(0);

/** Ask whatever is on the page anew, keeping its answers until then. */
export const refresh = (): void => void (refreshes += 1);

/** While the component is being made. The question before is given up; null asks nothing. */
export const ask = (question: () => Question | null): Asked<Answer> =>
  follow(question, askTogether);

/** The same for whatever else a request is made from. */
export function follow<Q, T>(
  question: () => Q | null,
  request: (question: Q, signal: AbortSignal) => Promise<T>,
): Asked<T> {
  const asked = new Following<T>();
  // As text, so that an equal question is not asked again.
  const text = $derived(JSON.stringify(question()));
  $effect(() => {
    void [asked.tries, refreshes];
    const body = JSON.parse(text) as Q | null;
    const giveUp = new AbortController();
    asked.begin(body === null ? null : request(body, giveUp.signal), giveUp.signal);
    return () => giveUp.abort();
  });
  return asked;
}

class Following<T> implements Asked<T> {
  answer = $state.raw<T | null>(null);
  loading = $state(true);
  fault = $state.raw<unknown>(null);
  tries = $state(0);

  again(): void {
    this.tries += 1;
  }

  async begin(request: Promise<T> | null, signal: AbortSignal): Promise<void> {
    this.loading = request !== null;
    this.fault = null;
    if (request === null) this.answer = null;
    try {
      const answer = await request;
      if (!signal.aborted) this.answer = answer;
    } catch (fault) {
      if (signal.aborted) return;
      this.fault = fault;
      if (fault instanceof ApiFault && fault.code === "unauthenticated") session.end();
    }
    if (!signal.aborted) this.loading = false;
  }
}
