/** Questions that are asked in the same moment go out as one request, so that all they show is of
    one moment of the site and its events are read once. */

import { ApiFault, askBatch, askNumbers, type Outcome } from "../api";
import type { Answer, Question } from "./questions";

interface Waiting {
  question: Question;
  signal: AbortSignal;
  give: (answer: Answer) => void;
  refuse: (fault: unknown) => void;
}

/** As many as the API takes. */
const AT_ONCE = 20;

let waiting: Waiting[] = [];

/** Each has its own answer or fault. Throws ApiFault. */
export function askTogether(question: Question, signal: AbortSignal): Promise<Answer> {
  if (waiting.length === 0) queueMicrotask(send);
  return new Promise((give, refuse) => waiting.push({ question, signal, give, refuse }));
}

function send(): void {
  // Nobody waits for the others.
  const asked = waiting.filter(({ signal }) => !signal.aborted);
  waiting = [];
  for (let at = 0; at < asked.length; at += AT_ONCE) void settle(asked.slice(at, at + AT_ONCE));
}

async function settle(asked: Waiting[]): Promise<void> {
  try {
    const outcomes = await outcomesOf(asked);
    asked.forEach(({ give, refuse }, index) => {
      const outcome = outcomes[index];
      if (outcome && !("error" in outcome)) give(outcome);
      else refuse(faultOf(outcome));
    });
  } catch (fault) {
    for (const { refuse } of asked) refuse(fault);
  }
}

async function outcomesOf(asked: Waiting[]): Promise<Outcome<Answer>[]> {
  const signal = whenAllAre(asked.map((one) => one.signal));
  const questions = asked.map(({ question }) => question);
  if (questions.length === 1) return [await askNumbers<Answer>(questions[0], signal)];
  return askBatch<Answer>(questions, signal);
}

function faultOf(outcome: Outcome<never> | undefined): ApiFault {
  if (!outcome) return new ApiFault("unexpected", "an answer lacks");
  const { code, message, field } = outcome.error;
  return new ApiFault(code, message, field ?? null);
}

/** The request is given up once nobody waits for any of it. */
function whenAllAre(signals: AbortSignal[]): AbortSignal {
  const all = new AbortController();
  const look = (): void => {
    if (signals.every(({ aborted }) => aborted)) all.abort();
  };
  for (const signal of signals) signal.addEventListener("abort", look, { once: true });
  return all.signal;
}
