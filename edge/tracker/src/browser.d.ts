// What the standard typings do not hold.

type Count = (name: string, fields?: Record<string, unknown>) => void;

interface Window {
  /** Before the tracker is there: the snippet's stub, which keeps the calls in `q`. */
  millrace?: Count & { q?: Parameters<Count>[] };
}
