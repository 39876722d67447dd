/** A value that follows another once that has stood still. While the component is being made. */

import { untrack } from "svelte";

/** `ms`: for how long. */
export function calm<T>(value: () => T, ms: number): { readonly current: T } {
  let current = $state.raw(untrack(value));
  $effect(() => {
    const next = value();
    const timer = setTimeout(() => (current = next), ms);
    return () => clearTimeout(timer);
  });
  return {
    get current() {
      return current;
    },
  };
}
